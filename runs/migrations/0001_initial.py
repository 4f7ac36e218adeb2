import django.db.models.deletion
import django.utils.timezone
import runs.models.insight
import runs.states
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('workspace', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='Experiment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=256)),
                ('description', models.TextField(blank=True, default='')),
                ('last_number', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('archived_at', models.DateTimeField(blank=True, null=True)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='experiments', to='workspace.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'name'), name="an experiment's name is its workspace's own"), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='an experiment has a name')],
            },
        ),
        migrations.CreateModel(
            name='ExperimentTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=250)),
                ('value', models.CharField(blank=True, max_length=1000, null=True)),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tag_rows', to='runs.experiment')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('experiment', 'key'), name="an experiment's tag is set once")],
            },
        ),
        migrations.CreateModel(
            name='Snapshot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('content_id', models.CharField(max_length=64)),
                ('zip_sha256', models.CharField(max_length=64)),
                ('zip_size', models.BigIntegerField()),
                ('size', models.BigIntegerField()),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='snapshots', to='workspace.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'content_id'), name='a snapshot is kept once')],
            },
        ),
        migrations.CreateModel(
            name='Run',
            fields=[
                ('id', models.CharField(max_length=256, primary_key=True, serialize=False)),
                ('number', models.PositiveIntegerField()),
                ('kind', models.CharField(choices=[('interactive', 'Interactive'), ('script', 'Script'), ('sweep', 'Sweep'), ('automl', 'AutoML'), ('pipeline', 'Pipeline'), ('mitigation', 'Mitigation'), ('scoring', 'Scoring')], default='interactive', max_length=20)),
                ('type', models.CharField(blank=True, default='', max_length=100)),
                ('display_name', models.CharField(blank=True, default='', max_length=256)),
                ('description', models.TextField(blank=True, default='')),
                ('state', models.CharField(default=runs.states.State['NOT_STARTED'], max_length=20)),
                ('cancel_requested_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('archived_at', models.DateTimeField(blank=True, null=True)),
                ('root_id', models.CharField(db_index=True, max_length=256)),
                ('definition', models.JSONField(blank=True, null=True)),
                ('compute', models.CharField(blank=True, default='', max_length=255)),
                ('submitted_by', models.CharField(blank=True, default='', max_length=150)),
                ('said_status', models.CharField(blank=True, default='', max_length=20)),
                ('error_code', models.CharField(blank=True, default='', max_length=100)),
                ('error_message', models.TextField(blank=True, default='')),
                ('error_details', models.TextField(blank=True, default='')),
                ('warnings', models.JSONField(blank=True, default=list)),
                ('token_digest', models.CharField(blank=True, default='', max_length=64)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('leased_by', models.CharField(blank=True, default='', max_length=150)),
                ('retries', models.PositiveSmallIntegerField(default=0)),
                ('stopped_for', models.CharField(blank=True, default='', max_length=40)),
                ('waiting_for', models.TextField(blank=True, default='')),
                ('image', models.CharField(blank=True, default='', max_length=255)),
                ('build_id', models.BigIntegerField(blank=True, null=True)),
                ('experiment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='runs.experiment')),
                ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='children', to='runs.run')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='runs', to='workspace.workspace')),
                ('snapshot', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='runs', to='runs.snapshot')),
            ],
            options={
                'indexes': [models.Index(fields=['experiment', '-created_at', '-id'], name='runs_of_an_experiment'), models.Index(fields=['workspace', '-created_at', '-id'], name='runs_of_a_workspace'), models.Index(fields=['parent', 'created_at', 'id'], name='runs_of_a_parent'), models.Index(condition=models.Q(('state__in', ['Finalizing', 'NotStarted', 'Preparing', 'Provisioning', 'Queued', 'Running', 'Starting'])), fields=['created_at'], name='runs_not_final'), models.Index(condition=models.Q(('token_digest', ''), _negated=True), fields=['token_digest'], name='runs_by_token')],
                'constraints': [models.UniqueConstraint(fields=('experiment', 'number'), name="a run's number is its experiment's own"), models.CheckConstraint(condition=models.Q(('state__in', ['NotStarted', 'Starting', 'Provisioning', 'Preparing', 'Queued', 'Running', 'Finalizing', 'Completed', 'Failed', 'Canceled', 'NotResponding'])), name="a run's state is a known one"), models.CheckConstraint(condition=models.Q(('ended_at__isnull', True), ('state__in', ['Canceled', 'Completed', 'Failed', 'NotResponding']), _connector='OR'), name='only a final run has ended')],
            },
        ),
        migrations.CreateModel(
            name='FairnessDashboard',
            fields=[
                ('id', models.CharField(default=runs.models.insight.new_id, max_length=36, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=255)),
                ('dataset_name', models.CharField(blank=True, default='', max_length=255)),
                ('prediction_type', models.CharField(max_length=40)),
                ('feature_names', models.JSONField(default=list)),
                ('rows', models.PositiveIntegerField()),
                ('path', models.CharField(max_length=500)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='fairness_dashboards', to='runs.run')),
            ],
            options={
                'indexes': [models.Index(fields=['run', 'created_at'], name='dashboards_of_a_run')],
            },
        ),
        migrations.CreateModel(
            name='Log',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.CharField(max_length=600)),
                ('size', models.BigIntegerField(default=0)),
                ('complete', models.BooleanField(default=False)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='logs', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'path'), name="a run's log path is one log")],
            },
        ),
        migrations.CreateModel(
            name='MetricSeries',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('experiment_id', models.BigIntegerField()),
                ('name', models.CharField(max_length=255)),
                ('column', models.CharField(blank=True, default='', max_length=255)),
                ('kind', models.CharField(max_length=20)),
                ('type', models.CharField(choices=[('float', 'Number'), ('int', 'Whole number'), ('bool', 'Yes or no'), ('text', 'Text'), ('mixed', 'Mixed')], max_length=10)),
                ('position', models.PositiveSmallIntegerField(default=0)),
                ('count', models.BigIntegerField(default=0)),
                ('loose', models.PositiveIntegerField(default=0)),
                ('last_time', models.FloatField(default=0)),
                ('last', models.FloatField(blank=True, null=True)),
                ('last_text', models.TextField(blank=True, default='')),
                ('min', models.FloatField(blank=True, null=True)),
                ('max', models.FloatField(blank=True, null=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='series', to='runs.run')),
            ],
            options={
                'indexes': [models.Index(fields=['experiment_id', 'name', 'column', 'last', 'run'], name='runs_by_metric')],
                'constraints': [models.UniqueConstraint(fields=('run', 'name', 'column'), name="a metric's column is one series")],
            },
        ),
        migrations.CreateModel(
            name='DashboardModel',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('position', models.PositiveIntegerField()),
                ('model_id', models.CharField(db_index=True, max_length=300)),
                ('summary', models.JSONField(default=dict)),
                ('dashboard', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='models', to='runs.fairnessdashboard')),
            ],
            options={
                'ordering': ['position'],
                'constraints': [models.UniqueConstraint(fields=('dashboard', 'position'), name="a dashboard's models have their places")],
            },
        ),
        migrations.CreateModel(
            name='LogChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('offset', models.BigIntegerField()),
                ('data', models.BinaryField()),
                ('log', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='runs.log')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('log', 'offset'), name="a log's offset is written once")],
            },
        ),
        migrations.CreateModel(
            name='MetricChunk',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.BigIntegerField()),
                ('count', models.PositiveIntegerField()),
                ('data', models.BinaryField()),
                ('series', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='chunks', to='runs.metricseries')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('series', 'start'), name='a chunk starts where the last ended')],
            },
        ),
        migrations.CreateModel(
            name='Mitigation',
            fields=[
                ('id', models.CharField(default=runs.models.insight.new_id, max_length=36, primary_key=True, serialize=False)),
                ('spec', models.JSONField()),
                ('results', models.JSONField(blank=True, default=dict)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('dashboard', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='mitigations', to='runs.fairnessdashboard')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='mitigations', to='runs.run')),
            ],
            options={
                'indexes': [models.Index(fields=['run', 'created_at'], name='mitigations_of_a_run')],
            },
        ),
        migrations.CreateModel(
            name='MetricBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('batch', models.UUIDField()),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='metric_batches', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'batch'), name='a batch counts once')],
            },
        ),
        migrations.CreateModel(
            name='Explanation',
            fields=[
                ('id', models.CharField(default=runs.models.insight.new_id, max_length=36, primary_key=True, serialize=False)),
                ('comment', models.CharField(blank=True, default='', max_length=1000)),
                ('source', models.CharField(max_length=40)),
                ('method', models.CharField(blank=True, default='', max_length=200)),
                ('model_id', models.CharField(blank=True, default='', max_length=300)),
                ('task', models.CharField(blank=True, default='', max_length=40)),
                ('is_raw', models.BooleanField(default=False)),
                ('is_engineered', models.BooleanField(default=False)),
                ('is_global', models.BooleanField(default=False)),
                ('is_local', models.BooleanField(default=False)),
                ('features', models.PositiveIntegerField(default=0)),
                ('rows', models.PositiveIntegerField(default=0)),
                ('classes', models.JSONField(blank=True, default=list)),
                ('top', models.JSONField(blank=True, default=list)),
                ('meta', models.JSONField(blank=True, default=dict)),
                ('prefix', models.CharField(max_length=500)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='explanations', to='runs.run')),
            ],
            options={
                'indexes': [models.Index(fields=['run', 'created_at'], name='explanations_of_a_run')],
            },
        ),
        migrations.CreateModel(
            name='Cohort',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=100)),
                ('filters', models.JSONField(default=list)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('created_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='cohorts', to='runs.run')),
            ],
            options={
                'ordering': ['created_at', 'id'],
                'constraints': [models.UniqueConstraint(fields=('run', 'name'), name="a run's cohort names are unique"), models.CheckConstraint(condition=models.Q(('name', ''), _negated=True), name='a cohort has a name')],
            },
        ),
        migrations.CreateModel(
            name='Artifact',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.TextField()),
                ('path_key', models.CharField(default='', editable=False, max_length=32)),
                ('size', models.BigIntegerField()),
                ('sha256', models.CharField(db_index=True, max_length=64)),
                ('content_type', models.CharField(default='application/octet-stream', max_length=255)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='artifacts', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'path_key'), name="a run's path is one artifact")],
            },
        ),
        migrations.CreateModel(
            name='RunEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('state', models.CharField(max_length=20)),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('reason', models.TextField(blank=True, default='')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='runs.run')),
            ],
            options={
                'ordering': ['id'],
            },
        ),
        migrations.CreateModel(
            name='RunProperty',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=100)),
                ('value', models.CharField(blank=True, default='', max_length=1000)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='property_rows', to='runs.run')),
            ],
            options={
                'indexes': [models.Index(fields=['key', 'value'], name='runs_by_property')],
                'constraints': [models.UniqueConstraint(fields=('run', 'key'), name="a run's property is set once")],
            },
        ),
        migrations.CreateModel(
            name='RunRank',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('rank', models.PositiveIntegerField()),
                ('local_rank', models.PositiveIntegerField(default=0)),
                ('node', models.CharField(blank=True, default='', max_length=255)),
                ('role', models.CharField(blank=True, default='', max_length=20)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('exit_code', models.IntegerField(blank=True, null=True)),
                ('signal', models.CharField(blank=True, default='', max_length=20)),
                ('error_type', models.CharField(blank=True, default='', max_length=255)),
                ('error_message', models.TextField(blank=True, default='')),
                ('error_traceback', models.TextField(blank=True, default='')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='ranks', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'attempt', 'rank'), name="a run's rank is one process")],
            },
        ),
        migrations.CreateModel(
            name='RunTag',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('experiment_id', models.BigIntegerField()),
                ('key', models.CharField(max_length=100)),
                ('value', models.CharField(blank=True, max_length=1000, null=True)),
                ('run', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='tag_rows', to='runs.run')),
            ],
            options={
                'indexes': [models.Index(fields=['experiment_id', 'key', 'value'], name='runs_by_tag')],
                'constraints': [models.UniqueConstraint(fields=('run', 'key'), name="a run's tag is set once")],
            },
        ),
        migrations.CreateModel(
            name='RunTask',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('attempt', models.PositiveSmallIntegerField(default=0)),
                ('index', models.PositiveSmallIntegerField(default=0)),
                ('backend', models.CharField(max_length=20)),
                ('node', models.CharField(blank=True, default='', max_length=255)),
                ('engine', models.CharField(blank=True, default='', max_length=255)),
                ('job', models.JSONField(default=dict)),
                ('seen', models.JSONField(default=dict)),
                ('launched_at', models.DateTimeField(blank=True, null=True)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('exit_code', models.IntegerField(blank=True, null=True)),
                ('signal', models.CharField(blank=True, default='', max_length=20)),
                ('error_type', models.CharField(blank=True, default='', max_length=255)),
                ('error_message', models.TextField(blank=True, default='')),
                ('error_traceback', models.TextField(blank=True, default='')),
                ('reported_at', models.DateTimeField(blank=True, null=True)),
                ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='tasks', to='runs.run')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('run', 'attempt', 'index'), name="a run's task is one job")],
            },
        ),
        migrations.CreateModel(
            name='ScoringSession',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model', models.CharField(max_length=500)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('expires_at', models.DateTimeField()),
                ('child', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='scoring_for', to='runs.run')),
                ('run', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='scoring_sessions', to='runs.run')),
            ],
            options={
                'indexes': [models.Index(fields=['run', '-created_at'], name='scoring_of_a_run')],
            },
        ),
        migrations.CreateModel(
            name='ScoringRequest',
            fields=[
                ('id', models.CharField(default=runs.models.insight.new_id, max_length=36, primary_key=True, serialize=False)),
                ('rows', models.JSONField()),
                ('answer', models.JSONField(blank=True, null=True)),
                ('error', models.TextField(blank=True, default='')),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('taken_at', models.DateTimeField(blank=True, null=True)),
                ('answered_at', models.DateTimeField(blank=True, null=True)),
                ('session', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='requests', to='runs.scoringsession')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('answered_at__isnull', True)), fields=['session', 'created_at'], name='scoring_waiting')],
            },
        ),
        migrations.CreateModel(
            name='SnapshotFile',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('path', models.TextField()),
                ('size', models.BigIntegerField()),
                ('sha256', models.CharField(max_length=64)),
                ('mode', models.CharField(default='644', max_length=6)),
                ('snapshot', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='files', to='runs.snapshot')),
            ],
        ),
    ]
