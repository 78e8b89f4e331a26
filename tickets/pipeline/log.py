"""What is done with the log as a whole, and what else it tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.db import transaction

from tickets.audit import checkpoints, export, keys
from tickets.audit.export import Wanted
from tickets.flow import erase as erasing
from tickets.flow.record import Draft, record
from tickets.models import Checkpoint, Entry, Kind, LogHead, SigningKey
from tickets.models.clock import database_now
from tickets.pipeline.acting import Actor


def sign_if_due() -> Checkpoint | None:
    """A checkpoint of the log, every minute and every thousand entries. Raises what `checkpoints.sign` raises."""
    return sign_log() if checkpoints.is_due(database_now()) else None


def sign_log() -> Checkpoint:
    """A checkpoint of the log as it is now. Raises what `checkpoints.sign` raises."""
    signer = keys.signer()
    with transaction.atomic():
        _, is_new = SigningKey.objects.get_or_create(
            verifier_key=signer.verifier_key, defaults={"since": database_now()}
        )
        if is_new:
            record([Draft(Kind.SIGNING_KEY_ADDED, "log", "system", {"verifier_key": signer.verifier_key})])
    return checkpoints.sign(signer, database_now())


def export_log(folder: Path, wanted: Wanted, by: Actor, progress: Callable[[int], object] = int) -> dict[str, Any]:
    """Signed files of entries, in a new or empty folder, by a key that the log knows.

    Raises NothingToExport, OSError, and what `sign_log` raises.
    """
    signer = keys.known_signer()
    export.make_folder(folder)
    exported = note(Draft(Kind.EXPORTED, "log", by.name, {"filter": wanted.filter}))
    return export.export(folder, wanted, sign_log(), signer, exported, progress)


def fork_log(name: str, kept: str, by: Actor, reason: str) -> Entry:
    """Says in the log itself that it goes on from a backup. kept: the checkpoint of what was lost, as a signed note."""
    with transaction.atomic():
        head = LogHead.objects.select_for_update().get(pk=1)
        content = {"name": name, "after": head.seq, "head": head.hash, "lost": kept}
        return record([Draft(Kind.FORKED, "log", by.name, content, reason)])[0]


def erase(email: str, by: Actor, reason: str) -> Entry:
    """All that is stored about a person, for good; the entry says what.

    Raises NobodyStored, ReasonNamesPerson, Held.
    """
    with transaction.atomic():
        person = erasing.hold(email)
        erasing.refuse_to_name(person, reason)
        stored = erasing.stored_about(person)
        erasing.forget(person)
        entry = record([erasing.certificate(stored, by.name, reason)])[0]
        # Last, since a hold is told in the log before it holds: it came before this entry, or finds nobody.
        erasing.refuse_held(stored)
    return entry


def note(draft: Draft) -> Entry:
    """Writes one entry about something other than a ticket: a key made, a role given."""
    with transaction.atomic():
        return record([draft])[0]
