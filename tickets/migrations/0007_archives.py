"""Entries and decisions that a row of the archive covers may go; that row itself is written once."""

from typing import Any

from django.db import migrations

# The schema is named, so that no temporary table stands in for the archive.
POSTGRESQL_FUNCTION = """
CREATE OR REPLACE FUNCTION refuse_unless_archived() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.seq <= (SELECT max(through) FROM {schema}.tickets_archive) THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'DELETE on % is refused: entry % is in no archive', TG_TABLE_NAME, OLD.seq
        USING ERRCODE = 'insufficient_privilege';
END $$
"""
POSTGRESQL_OF_THE_LOG = (
    "DROP TRIGGER {table}_rows_stay ON {table}",
    "CREATE TRIGGER {table}_rows_stay BEFORE UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_to_change()",
    "CREATE TRIGGER {table}_archived_go BEFORE DELETE ON {table} "
    "FOR EACH ROW EXECUTE FUNCTION refuse_unless_archived()",
)
POSTGRESQL_OF_THE_ARCHIVE = (
    "CREATE TRIGGER tickets_archive_rows_stay BEFORE UPDATE OR DELETE ON tickets_archive "
    "FOR EACH ROW EXECUTE FUNCTION refuse_to_change()",
    "CREATE TRIGGER tickets_archive_stays BEFORE TRUNCATE ON tickets_archive "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change()",
    "REVOKE UPDATE, DELETE, TRUNCATE ON tickets_archive FROM PUBLIC, CURRENT_USER",
)
SQLITE_OF_THE_LOG = (
    "DROP TRIGGER {table}_no_delete",
    "CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} "
    "WHEN OLD.seq > COALESCE((SELECT max(through) FROM tickets_archive), 0) "
    "BEGIN SELECT RAISE(ABORT, 'DELETE on {table} is refused: the entry is in no archive'); END",
)
SQLITE_OF_THE_ARCHIVE = (
    "CREATE TRIGGER tickets_archive_no_update BEFORE UPDATE ON tickets_archive "
    "BEGIN SELECT RAISE(ABORT, 'UPDATE on tickets_archive is refused: rows here are written once'); END",
    "CREATE TRIGGER tickets_archive_no_delete BEFORE DELETE ON tickets_archive "
    "BEGIN SELECT RAISE(ABORT, 'DELETE on tickets_archive is refused: rows here are written once'); END",
    # Each of its two unique columns could be what a replacement collides on.
    "CREATE TRIGGER tickets_archive_no_replace BEFORE INSERT ON tickets_archive "
    "WHEN EXISTS (SELECT 1 FROM tickets_archive WHERE through = NEW.through OR seq = NEW.seq) "
    "BEGIN SELECT RAISE(ABORT, 'replacing a row of tickets_archive is refused: rows here are written once'); END",
)


def let_archived_rows_go(apps: Any, schema_editor: Any) -> None:
    postgresql = schema_editor.connection.vendor == "postgresql"
    if postgresql:
        # Its percent signs are not placeholders.
        schema_editor.execute(POSTGRESQL_FUNCTION.format(schema=_schema(schema_editor.connection)), params=None)
    for table in ("tickets_entry", "tickets_decision"):
        for statement in POSTGRESQL_OF_THE_LOG if postgresql else SQLITE_OF_THE_LOG:
            schema_editor.execute(statement.format(table=table))
    for statement in POSTGRESQL_OF_THE_ARCHIVE if postgresql else SQLITE_OF_THE_ARCHIVE:
        schema_editor.execute(statement)


def _schema(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        return cursor.fetchone()[0]


class Migration(migrations.Migration):
    dependencies = [("tickets", "0006_saved_and_kept")]
    operations = [migrations.RunPython(let_archived_rows_go, elidable=False)]
