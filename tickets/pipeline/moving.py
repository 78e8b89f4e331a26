"""An installation moves from SQLite to PostgreSQL, with its log as it is.

Not by dumpdata and loaddata: they hold everything in memory as JSON, and save by UPDATE, which the log refuses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice, product
from typing import Any

from django.db import Error, OperationalError, connections, models, transaction
from django.db.models.sql import InsertQuery

from tickets.audit import moving
from tickets.audit.moving import SOURCE, TARGET, MoveRefused, SourceStillOpen
from tickets.flow.record import Draft, record
from tickets.models import Entry, Kind, LogHead
from tickets.pipeline.acting import Actor

Progress = Callable[[str, int], object]
"""Is told a table, and how many of its rows are copied."""
_CHUNK = 500
_WRITTEN_ONCE = ("tickets_entry", "tickets_policy", "tickets_policyevent")
"""Of what `migrate` fills: the database refuses to delete from these."""
_CLOSED = (
    'CREATE TRIGGER IF NOT EXISTS "{table}_moved_{verb}" BEFORE {verb} ON "{table}" '
    "BEGIN SELECT RAISE(ABORT, 'this database was moved to PostgreSQL: set DATABASE_URL'); END"
)


def move_database(by: Actor, progress: Progress) -> Entry:
    """Every row of the opened source (see tickets.audit.moving) goes into the target, all or none; then the source
    refuses to be written. Returns the entry that says so. Raises MoveRefused, SourceStillOpen, django.db.Error.

    The source is held from before the first row is read until it is closed, so nothing is written to it that stays
    behind. Killed after the target was committed and before the source was closed: run again, it closes the source.
    """
    with _held_source():
        moving.refuse_unlike()
        moving.refuse_while_alive()
        head = LogHead.objects.using(SOURCE).get(pk=1)
        entry = _arrived(head) or _move(head, by, progress)
        _close_source()
    return entry


@contextmanager
def _held_source() -> Iterator[None]:
    """While it lasts nobody else writes to the source."""
    with ExitStack() as held:
        try:
            held.enter_context(transaction.atomic(using=SOURCE))
        except OperationalError as error:
            raise MoveRefused(f"Something writes to the source ({error}): stop make run first.") from error
        yield


def _arrived(head: LogHead) -> Entry | None:
    """What the target says of a move of this very log, made before."""
    return Entry.objects.filter(seq=head.seq + 1, kind=Kind.MOVED, prev_hash=head.hash).first()


def _move(head: LogHead, by: Actor, progress: Progress) -> Entry:
    with transaction.atomic():
        _hold_target()
        moving.refuse_used_target()
        moving.refuse_bad_values()
        _forget_first_rows()
        for model in moving.moved_models():
            _copy(model, progress)
        _go_on_counting()
        connections[TARGET].check_constraints()
        moving.refuse_if_different(head)
        content = {"from": "sqlite", "to": "postgresql", "entries": head.seq, "head": head.hash}
        return record([Draft(Kind.MOVED, "log", by.name, content)])[0]


def _hold_target() -> None:
    """Nobody else writes to the target. A table without the right to lock it is written by who holds the log's head."""
    tables = [model._meta.db_table for model in moving.all_models()]  # noqa: SLF001
    lockable = [table for table in tables if _execute("SELECT has_table_privilege(%s, 'UPDATE')", table)[0][0]]
    _execute(f"LOCK TABLE {', '.join(lockable)} IN EXCLUSIVE MODE")


def _forget_first_rows() -> None:
    """The rows of `migrate` make room for those of the source. The protection of the log is off for these alone."""
    may_delete = _execute("SELECT has_table_privilege('tickets_entry', 'DELETE')")[0][0]
    for table in _WRITTEN_ONCE:
        _execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
    if not may_delete:
        _execute("GRANT DELETE ON tickets_entry TO CURRENT_USER")
    for model in moving.first_models():
        _execute(f"DELETE FROM {model._meta.db_table}")  # noqa: S608, SLF001
    connections[TARGET].check_constraints()  # no table is altered while a check of it is pending
    if not may_delete:
        _execute("REVOKE DELETE ON tickets_entry FROM CURRENT_USER")
    for table in _WRITTEN_ONCE:
        _execute(f"ALTER TABLE {table} ENABLE TRIGGER USER")


def _copy(model: type[models.Model], progress: Progress) -> None:
    table, copied = model._meta.db_table, 0  # noqa: SLF001
    rows = model._base_manager.using(SOURCE).order_by("pk").iterator(_CHUNK)  # noqa: SLF001
    while chunk := list(islice(rows, _CHUNK)):
        # Raw: a field that says when a row was saved keeps what it says.
        query = InsertQuery(model)
        query.insert_values(model._meta.concrete_fields, chunk, raw=True)  # noqa: SLF001
        try:
            query.get_compiler(TARGET).execute_sql()
        except (Error, ValueError) as error:
            raise MoveRefused(f"{table}, rows {chunk[0].pk} to {chunk[-1].pk}: {error}") from error
        copied += len(chunk)
        progress(table, copied)


def _go_on_counting() -> None:
    """The next number of a table is what the source would have given: no number of an erased ticket comes again."""
    tables = {model._meta.db_table: model._meta.pk.column for model in moving.moved_models()}  # noqa: SLF001
    with connections[SOURCE].cursor() as cursor:
        cursor.execute("SELECT name, seq FROM sqlite_sequence WHERE seq > 0")
        last = {name: seq for name, seq in cursor.fetchall() if name in tables}
    for table, seq in last.items():
        _execute("SELECT setval(pg_get_serial_sequence(%s, %s), %s)", table, tables[table], seq)


def _close_source() -> None:
    tables = [model._meta.db_table for model in moving.all_models()]  # noqa: SLF001
    try:
        with connections[SOURCE].cursor() as cursor:
            for table, verb in product(tables, ("INSERT", "UPDATE", "DELETE")):
                cursor.execute(_CLOSED.format(table=table, verb=verb))
    except Error as error:
        raise SourceStillOpen(f"Everything was moved, but the source still takes what is written: {error}") from error


def _execute(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connections[TARGET].cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []
