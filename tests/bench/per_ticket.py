"""What we are measured against: one Celery message and one transaction a ticket, with the same steps inside."""

from __future__ import annotations

import django
from celery import shared_task
from django.db import transaction

from triage.celery import app

django.setup()

from tickets import pipeline  # noqa: E402
from tickets.flow import score as scoring  # noqa: E402
from tickets.models import ActivePolicy, Waiting  # noqa: E402
from tickets.models.clock import database_now  # noqa: E402

__all__ = ["app"]


@shared_task(name="tests.bench.decide_one")
def decide_one(ticket_id: int) -> None:
    with transaction.atomic():
        now = database_now()
        Waiting.objects.filter(pk=ticket_id).update(claim=ticket_id, available_at=now, attempts=1)
        text = Waiting.objects.values_list("ticket__inputs__text", flat=True).get(pk=ticket_id)
        held = scoring.Claim(ticket_id, now, (ticket_id,), (text,), ActivePolicy.current().rubric)
    pipeline.settle_claim(held, scoring.score(held), scoring.scorer().model, "one-a-message")


def send_all() -> None:
    """A message for each ticket that waits, as an application without batches would send."""
    for pk in Waiting.objects.order_by("pk").values_list("pk", flat=True):
        decide_one.apply_async((pk,), queue="one-a-message")
