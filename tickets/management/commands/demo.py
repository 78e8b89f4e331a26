"""manage.py demo"""

from __future__ import annotations

import ipaddress
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from tickets import pipeline
from tickets.flow.ingest import NewTicket
from tickets.flow.record import Draft
from tickets.models import Kind, Role, User

TICKETS = Path(__file__).resolve().parents[2] / "demo" / "tickets.jsonl"
ROLES = (Role.AGENT, Role.OPS, Role.AUDITOR)


class Command(BaseCommand):
    help = (
        "Three log-ins and about 150 tickets, which arrive through the pipeline. In demo mode alone; can be repeated."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.DEMO or not all(_is_loopback(host) for host in settings.ALLOWED_HOSTS):
            raise CommandError("The demo needs DEMO=1 and only loopback addresses in ALLOWED_HOSTS.")
        if taken := User.objects.filter(username__in=ROLES, is_demo=False).first():
            raise CommandError(f"A person is named {taken.username} already; the demo needs that name.")
        for role in ROLES:
            _person(role)
        new = _load()
        self.stdout.write(f"{new} demo tickets submitted.\n\n  http://127.0.0.1:{settings.PORT}/\n")
        for role in ROLES:
            self.stdout.write(f"  log in as {role:<8} with password {password_of(role)}")


def password_of(role: Role) -> str:
    return f"{role}-demo"


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _person(role: Role) -> None:
    with transaction.atomic():
        user, is_new = User.objects.get_or_create(username=role.value, defaults={"is_demo": True})
        if is_new:
            user.set_password(password_of(role))
            user.save()
            user.groups.add(Group.objects.get(name=role))
            roles = {"roles": [role.value], "previous": []}
            pipeline.note(Draft(Kind.ROLE_CHANGED, f"user:{user.pk}", "command", roles))


def _load() -> int:
    """Submits the demo's tickets, then the later messages of those that are new. Returns how many are new."""
    rows = [json.loads(line) for line in TICKETS.read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: -row["minutes_ago"])
    accepted = pipeline.submit([_submission(row) for row in rows])
    for row, result in zip(rows, accepted, strict=True):
        for body in row.get("messages", []) if result.created else []:
            pipeline.add_message(result.ticket.pk, body)
    return sum(result.created for result in accepted)


def _submission(row: dict[str, Any]) -> NewTicket:
    return NewTicket(
        subject=row["subject"],
        body=row["body"],
        email=row["email"],
        name=row["name"],
        region=row["region"],
        locale=row["locale"],
        source=row["source"],
        external_id=row["external_id"],
        received_at=timezone.now() - timedelta(minutes=row["minutes_ago"]),
    )
