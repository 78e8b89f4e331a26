"""A decision made again by its model: asked for, and answered when nothing waits for a score."""

from __future__ import annotations

from django.db import transaction

from scoring.types import Model, Unavailable
from tickets import wake
from tickets.audit.replay import Replayed, content_of, replay, scorers_here
from tickets.flow import jobs, replaying
from tickets.flow.jobs import Held
from tickets.flow.record import record
from tickets.models import Decision, JobKind
from tickets.models.clock import database_now
from tickets.models.entry import AUTOMATIC
from tickets.pipeline.acting import Actor
from tickets.pipeline.idle import take
from tickets.pipeline.shipping import ship_on_commit


def ask_for_replay(seq: int, by: Actor) -> None:
    """Wants the decision made again. Raises Decision.DoesNotExist where the entry is no automatic decision."""
    with transaction.atomic():
        decision = Decision.objects.get(entry__seq=seq, kind__in=AUTOMATIC)
        replaying.ask(decision.seq, by.name, database_now())
        wake.on_commit(wake.SCORE)


def replay_one(worker: str, model: Model) -> bool:
    """Makes one decision again that was asked for; False when there is none. Only when nothing waits for a score."""
    held = take(JobKind.REPLAY, model)
    if held is None:
        return False
    seq = replaying.seq_of(held.job)
    try:
        replayed = next(replay(seq, seq, scorers_here()), None)
    except Unavailable:
        jobs.hand_back(held, database_now())
        return False
    except Exception as error:
        jobs.try_again(held, f"{type(error).__name__}: {error}", database_now())
        return True
    if replayed is None:
        jobs.fail(held, f"Entry {seq} is in the database no more.", database_now())
    else:
        record_replay(held, replayed, f"worker:{worker}")
    return True


def record_replay(held: Held, replayed: Replayed, actor: str) -> None:
    """Records nothing where the job is not held any more: its person was erased, or another worker has it."""
    with transaction.atomic():
        if jobs.finish(held):
            record([replaying.draft(held, content_of(replayed), actor)])
            ship_on_commit()
