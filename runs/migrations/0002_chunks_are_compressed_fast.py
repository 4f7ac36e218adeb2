"""Metric chunks on PostgreSQL: compressed by lz4, or not at all where the server was built without it (ADR 7)."""

from typing import Any

from django.db import DatabaseError, migrations, transaction

TABLE, COLUMN = "runs_metricchunk", "data"


def compress_fast(apps: Any, schema_editor: Any) -> None:
    """Says how chunks are kept from now on; those that are there stay readable as they are."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        try:
            with transaction.atomic(using=connection.alias):
                cursor.execute(f"ALTER TABLE {TABLE} ALTER COLUMN {COLUMN} SET COMPRESSION lz4")
        except DatabaseError:
            cursor.execute(f"ALTER TABLE {TABLE} ALTER COLUMN {COLUMN} SET STORAGE EXTERNAL")


def as_before(apps: Any, schema_editor: Any) -> None:
    """PostgreSQL's own choice again."""
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {TABLE} ALTER COLUMN {COLUMN} SET STORAGE EXTENDED")
        if connection.pg_version >= 140000:
            cursor.execute(f"ALTER TABLE {TABLE} ALTER COLUMN {COLUMN} SET COMPRESSION default")


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial")]
    operations = [migrations.RunPython(compress_fast, as_before)]
