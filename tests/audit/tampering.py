"""What an attacker with the database's own password can do: get the protection out of the way, then change rows."""

from __future__ import annotations

from django.db import connection

_TRIGGERS = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = '{table}'"


def tamper(table: str, *statements: str) -> None:
    """Runs the statements with the table's protection off. Everything goes with the test's transaction."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER USER")
            cursor.execute(f"GRANT UPDATE, DELETE ON {table} TO CURRENT_USER")
        else:
            cursor.execute(_TRIGGERS.format(table=table))
            for (name,) in cursor.fetchall():
                cursor.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            cursor.execute(statement)


def as_bytes(content: bytes) -> str:
    """A literal for the statements."""
    return f"'\\x{content.hex()}'::bytea" if connection.vendor == "postgresql" else f"x'{content.hex()}'"
