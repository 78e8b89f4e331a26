"""The database itself refuses to change what is written once: the log, decisions, and policy versions."""

from typing import Any

from django.db import migrations

WRITTEN_ONCE = ("tickets_entry", "tickets_decision", "tickets_policy", "tickets_policyevent")

POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_to_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: rows here are written once', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
POSTGRESQL = (
    "CREATE TRIGGER {table}_rows_stay BEFORE UPDATE OR DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION refuse_to_change()",
    "CREATE TRIGGER {table}_stays BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change()",
)
# Nothing refers to these two by a foreign key, whose check would need the right to lock their rows.
POSTGRESQL_REVOKE = "REVOKE UPDATE, DELETE, TRUNCATE ON tickets_entry, tickets_decision FROM PUBLIC, CURRENT_USER"
SQLITE = (
    "CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'UPDATE on {table} is refused: rows here are written once'); END",
    "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
    "BEGIN SELECT RAISE(ABORT, 'DELETE on {table} is refused: rows here are written once'); END",
    # INSERT OR REPLACE deletes without the DELETE trigger unless recursive_triggers is on for the connection.
    "CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
    "WHEN EXISTS (SELECT 1 FROM {table} WHERE {key} = NEW.{key}) "
    "BEGIN SELECT RAISE(ABORT, 'replacing a row of {table} is refused: rows here are written once'); END",
)
KEYS = {"tickets_entry": "seq", "tickets_decision": "seq", "tickets_policy": "number", "tickets_policyevent": "id"}


def protect(apps: Any, schema_editor: Any) -> None:
    postgresql = schema_editor.connection.vendor == "postgresql"
    if postgresql:
        schema_editor.execute(POSTGRESQL_FUNCTION, params=None)  # its percent signs are not placeholders
    for table in WRITTEN_ONCE:
        for statement in POSTGRESQL if postgresql else SQLITE:
            schema_editor.execute(statement.format(table=table, key=KEYS[table]))
    if postgresql:
        schema_editor.execute(POSTGRESQL_REVOKE)


class Migration(migrations.Migration):
    dependencies = [("tickets", "0001_initial")]
    operations = [migrations.RunPython(protect, elidable=False)]
