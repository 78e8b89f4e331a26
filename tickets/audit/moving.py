"""What must hold before an installation moves from SQLite to PostgreSQL, and whether all of it arrived. Reads alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import environ
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import DEFAULT_DB_ALIAS, connections, models
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone

from tickets import presence
from tickets.audit.verify import verify
from tickets.models import Entry, LogHead, Policy, Process, Role, Shipping

SOURCE, TARGET = "source", DEFAULT_DB_ALIAS
_LEFT_BEHIND = {"sessions.Session", "tickets.Process"}
"""Who is logged in, and which processes lived: true of the old installation alone."""
_FIRST_ROWS = {
    "auth.Group",
    "auth.Permission",
    "contenttypes.ContentType",
    *(f"tickets.{name}" for name in ("ActivePolicy", "Calibration", "Entry", "LogHead", "Policy", "PolicyEvent")),
    *(f"tickets.{name}" for name in ("Reason", "RegisteredModel", "Shipping")),
}
"""What migrating alone puts into a database (tickets.first_rows, and Django's own)."""
_WAIT_SECONDS = 3
_BAD_VALUES_SHOWN = 20


class MoveRefused(Exception):
    """The installation cannot be moved as things are; says why, and what to do."""


class SourceStillOpen(Exception):
    """All was moved, but the source could not be made to refuse what is written to it; says why."""


@contextmanager
def opened(url: str) -> Iterator[None]:
    """The database of the URL as `SOURCE`. Raises MoveRefused where it is no SQLite file."""
    values = environ.Env.db_url_config(url)
    if values["ENGINE"] != "django.db.backends.sqlite3" or not Path(values["NAME"]).is_file():
        raise MoveRefused(f"{url} names no SQLite file; write it like sqlite:////srv/triage/var/triage.sqlite3")
    values["OPTIONS"] = {"transaction_mode": "IMMEDIATE", "timeout": _WAIT_SECONDS}
    connections.configure_settings({TARGET: connections.databases[TARGET], SOURCE: values})
    connections.databases[SOURCE] = values
    try:
        yield
    finally:
        connections[SOURCE].close()
        del connections[SOURCE], connections.databases[SOURCE]


def all_models() -> list[type[models.Model]]:
    """Every table, those between two models too."""
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]  # noqa: SLF001


def moved_models() -> list[type[models.Model]]:
    return [model for model in all_models() if model._meta.label not in _LEFT_BEHIND]  # noqa: SLF001


def first_models() -> list[type[models.Model]]:
    """Those with rows in a database that was migrated and not used."""
    return [model for model in moved_models() if model._meta.label in _FIRST_ROWS]  # noqa: SLF001


def refuse_unlike() -> None:
    """Raises MoveRefused where the target is no PostgreSQL, or source, target and this program differ in migrations."""
    if connections[TARGET].vendor != "postgresql":
        raise MoveRefused("DATABASE_URL must name the PostgreSQL database to move to.")
    target = MigrationExecutor(connections[TARGET])
    if target.migration_plan(target.loader.graph.leaf_nodes()):
        raise MoveRefused("The target is not migrated: run manage.py migrate with its DATABASE_URL.")
    here, there = (set(MigrationRecorder(connections[alias]).applied_migrations()) for alias in (SOURCE, TARGET))
    if different := sorted(here ^ there):
        app, name = different[0]
        where = "source" if (app, name) in here else "target"
        raise MoveRefused(
            f"Only the {where} has the migration {app}.{name}: run manage.py migrate of this version on both."
        )


def refuse_while_alive() -> None:
    """Raises MoveRefused while a worker or sweep of the source lives."""
    alive = Process.objects.using(SOURCE).filter(seen_at__gte=timezone.now() - presence.ALIVE_WITHIN)
    if names := ", ".join(alive.order_by("name").values_list("name", flat=True)):
        raise MoveRefused(
            f"The source is in use by {names}: stop make run first, then wait {presence.ALIVE_WITHIN.seconds} seconds."
        )


def refuse_used_target() -> None:
    """Raises MoveRefused where the target holds more than migrating put there."""
    first = {model._meta.label for model in first_models()}  # noqa: SLF001
    rows = {model._meta.db_table: _rows(model, TARGET) for model in all_models() if model._meta.label not in first}  # noqa: SLF001
    used = [f"{count:,} rows in {table}" for table, count in rows.items() if count]
    used += ["entries of its own in the log"] if Entry.objects.exclude(actor="system").exists() else []
    used += ["policies of its own"] if Policy.objects.count() > 1 else []
    used += ["groups of its own"] if Group.objects.exclude(name__in=Role.values).exists() else []
    used += ["a log that was shipped to Elasticsearch"] if Shipping.objects.filter(shipped_through__gt=0) else []
    if used:
        raise MoveRefused(
            f"The target is in use already: {', '.join(used)}. Move to a new database, migrated and empty."
        )


def refuse_bad_values() -> None:
    """Raises MoveRefused for what SQLite allows and PostgreSQL does not; names table, column and row."""
    found = (bad for model in moved_models() for field in model._meta.concrete_fields for bad in _bad(model, field))  # noqa: SLF001
    if shown := list(islice(found, _BAD_VALUES_SHOWN)):
        raise MoveRefused("PostgreSQL would refuse these values; correct them in the source:\n" + "\n".join(shown))


def refuse_if_different(head: LogHead) -> None:
    """Raises MoveRefused where the target holds other rows than the source, or a log that does not verify. head: of
    the source.
    """
    for model in moved_models():
        here, there = _rows(model, SOURCE), _rows(model, TARGET)
        if here != there:
            raise MoveRefused(f"{model._meta.db_table} has {here:,} rows in the source and {there:,} in the target.")  # noqa: SLF001
    report = verify()
    if report.fault:
        raise MoveRefused(f"The log does not verify at entry {report.fault.seq}: {report.fault.what}")
    if report.head != head.hash:
        raise MoveRefused(f"The log ends with {report.head}, and that of the source with {head.hash}.")


def _rows(model: type[models.Model], alias: str) -> int:
    return model._base_manager.using(alias).count()  # noqa: SLF001


def _bad(model: type[models.Model], field: models.Field[Any, Any]) -> Iterator[str]:
    connection = connections[SOURCE]
    conditions = _refused_by_postgresql(field, connection.ops.quote_name(str(field.column)))
    table, key = model._meta.db_table, model._meta.pk.column  # noqa: SLF001
    with connection.cursor() as cursor:
        for what, condition in conditions.items():
            cursor.execute(f'SELECT "{key}" FROM "{table}" WHERE {condition} ORDER BY 1 LIMIT {_BAD_VALUES_SHOWN}')  # noqa: S608
            yield from (f"{table}, {key} {row}: {field.column} {what}" for (row,) in cursor.fetchall())


def _refused_by_postgresql(field: models.Field[Any, Any], column: str) -> dict[str, str]:
    """What is wrong with a value -> how SQLite finds it."""
    if isinstance(field, models.JSONField):
        return {"has a NUL character": rf"instr({column}, '\u0000')"}
    if isinstance(field, models.CharField | models.TextField):
        found = {"has a NUL character": f"instr({column}, char(0))"}
        if isinstance(field, models.CharField):
            found[f"has more than {field.max_length} characters"] = f"length({column}) > {field.max_length}"
        return found
    if isinstance(field, models.IntegerField):
        least, most = connections[TARGET].ops.integer_field_range(field.get_internal_type())
        return {"is out of range": f"{column} < {least} OR {column} > {most}"}
    return {}
