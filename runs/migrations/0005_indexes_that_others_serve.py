"""Indexes that another one serves, or that nothing asks, go: each is written anew with every move of a run."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

# A text key has a second index on PostgreSQL, for LIKE; runs are looked up by their whole id.
FIND = """SELECT indexname FROM pg_indexes
WHERE schemaname = current_schema() AND tablename = 'runs_run' AND indexname LIKE 'runs\\_run\\_id\\_%%\\_like'"""


def drop(apps: Any, schema_editor: Any) -> None:
    """Drops the second index of the runs' key."""
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(FIND)
        for (name,) in cursor.fetchall():
            cursor.execute(f'DROP INDEX "{name}"')


class Migration(migrations.Migration):
    dependencies = [("runs", "0004_logs_of_attempts")]
    operations = [
        migrations.AlterField(
            model_name='artifact',
            name='sha256',
            field=models.CharField(max_length=64),
        ),
        migrations.AlterField(
            model_name='run',
            name='experiment',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='runs.experiment'),
        ),
        migrations.AlterField(
            model_name='run',
            name='parent',
            field=models.ForeignKey(blank=True, db_index=False, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='children', to='runs.run'),
        ),
        migrations.AlterField(
            model_name='run',
            name='root_id',
            field=models.CharField(max_length=256),
        ),
        migrations.AlterField(
            model_name='run',
            name='workspace',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='workspace.workspace'),
        ),
        migrations.AlterField(
            model_name='runevent',
            name='run',
            field=models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='events', to='runs.run'),
        ),
        migrations.AddIndex(
            model_name='artifact',
            index=models.Index(fields=['sha256'], name='artifacts_by_content'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['root_id'], name='runs_of_a_root'),
        ),
        migrations.AddIndex(
            model_name='runevent',
            index=models.Index(fields=['run', 'id'], name='events_of_a_run'),
        ),
        migrations.RunPython(drop, migrations.RunPython.noop),
    ]
