"""manage.py grant_role ROLE"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from django.db.utils import ProgrammingError

WRITTEN_ONCE = ("tickets_entry", "tickets_decision", "tickets_evaluation", "tickets_archive")
ONLY_ERASED = ("tickets_reason", "tickets_input")
"""Texts whose digests are in the log: they may go, and not change."""
_GRANTS = (
    "GRANT USAGE ON SCHEMA {schema} TO {role}",
    "REVOKE CREATE ON SCHEMA {schema} FROM {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schema} TO {role}",
    "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA {schema} TO {role}",
    "REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role}",
    f"REVOKE UPDATE, DELETE, TRUNCATE ON {', '.join(WRITTEN_ONCE)} FROM {{role}}",
    f"REVOKE UPDATE ON {', '.join(ONLY_ERASED)} FROM {{role}}",
)


class Command(BaseCommand):
    help = (
        "Gives another PostgreSQL role what the application needs of the tables, and no right to change what is "
        "written once. Run it as the tables' owner, after migrate. Can be run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", help="the role that web, workers and sweep log in as")

    def handle(self, *args: Any, **options: Any) -> None:
        role = options["role"]
        if connection.vendor != "postgresql":
            raise CommandError("Only PostgreSQL has roles; DATABASE_URL names another database.")
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT current_user, current_schema()")
            owner, schema = cursor.fetchone()
            if role == owner:
                raise CommandError(f"{role} owns the tables. Name the role that the application is to log in as.")
            cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            if not cursor.fetchone():
                raise CommandError(f"There is no role {role}. Make it first: CREATE ROLE {role} LOGIN PASSWORD '...'")
            names = {"role": connection.ops.quote_name(role), "schema": connection.ops.quote_name(schema)}
            try:
                for statement in _GRANTS:
                    cursor.execute(statement.format(**names))
            except ProgrammingError as error:
                raise CommandError(f"PostgreSQL refused: {error}Run migrate first, as the same role.") from error
        self.stdout.write(f"{role} may now use the tables of {owner}, and change nothing that is written once.")
