"""Tickets a page must bear; imported by processes beside the server."""

from __future__ import annotations

from datetime import timedelta

from tickets import pipeline
from tickets.flow.ingest import NewTicket
from tickets.models import Queue, Ticket

SCRIPT = '<script>document.title="broken"</script><img src=x onerror=alert(1)>'
HOSTILE = {
    "hostile-script": (SCRIPT, f"{SCRIPT} {{{{ 7*7 }}}} payments failing, outage now"),
    "hostile-word": ("W" * 300, "x" * 3_000),
    "hostile-rtl": ("تعذر تسجيل الدخول إلى حسابي منذ الصباح", "لا يمكن لأي شخص في الفريق تسجيل الدخول. URGENT outage"),
    "hostile-emoji": ("👩‍👩‍👧‍👦 日本語のチケット", "支払いが失敗しています。"),
}


def hostile_tickets() -> None:
    pipeline.submit(
        [
            NewTicket(
                subject=subject,
                body=body,
                email=f"{name}@example.com",
                name="<i>Eve</i>",
                source="api",
                external_id=name,
            )
            for name, (subject, body) in HOSTILE.items()
        ]
    )


def moved_with_a_long_reason() -> None:
    """A word of a person about the first ticket, as long as a reason may be."""
    ticket = Ticket.objects.order_by("pk")[0]
    reason = ("It was no outage but a fire drill " + "W" * 120 + " ") * 3
    pipeline.override(ticket.pk, Queue(ticket.queue).other, pipeline.Actor("test"), reason[:500])


def urgent_ticket(subject: str) -> int:
    """Submits an urgent ticket and has it decided. Returns its id."""
    body = "URGENT: production outage, payments failing for all customers, data loss right now"
    ticket = pipeline.submit([NewTicket(subject=subject, body=body, email="live@example.com", source="api")])[0].ticket
    pipeline.score_waiting("test", timedelta(seconds=20))
    return ticket.pk
