import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        ('workspace', '0001_initial'),
    ]

    operations = [
        migrations.CreateModel(
            name='ComputeTarget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=64)),
                ('type', models.CharField(choices=[('AmlCompute', 'Cluster'), ('ComputeInstance', 'Instance'), ('local', 'This machine')], default='AmlCompute', max_length=20)),
                ('backend', models.CharField(choices=[('process', 'Processes of this machine'), ('docker', 'Docker engine')], max_length=20)),
                ('vm_size', models.CharField(blank=True, default='', max_length=64)),
                ('min_nodes', models.PositiveIntegerField(default=0)),
                ('max_nodes', models.PositiveIntegerField(default=1)),
                ('idle_seconds', models.PositiveIntegerField(default=1800)),
                ('vm_priority', models.CharField(choices=[('dedicated', 'Dedicated'), ('lowpriority', 'Low priority')], default='dedicated', max_length=20)),
                ('description', models.TextField(blank=True, default='')),
                ('tags', models.JSONField(blank=True, default=dict)),
                ('settings', models.JSONField(blank=True, default=dict)),
                ('created_by', models.CharField(blank=True, default='', max_length=150)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('modified_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('deleting_at', models.DateTimeField(blank=True, null=True)),
                ('resizing', models.BooleanField(default=False)),
                ('allocation_changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('error', models.TextField(blank=True, default='')),
                ('next_number', models.PositiveIntegerField(default=1)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='compute_targets', to='workspace.workspace')),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.UniqueConstraint(fields=('workspace', 'name'), name="a target's name is its workspace's own"), models.CheckConstraint(condition=models.Q(('max_nodes__gte', models.F('min_nodes'))), name="a target's maximum is not below its minimum")],
            },
        ),
        migrations.CreateModel(
            name='Engine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255)),
                ('backend', models.CharField(choices=[('process', 'Processes of this machine'), ('docker', 'Docker engine')], max_length=20)),
                ('address', models.CharField(blank=True, default='', max_length=255)),
                ('cpus', models.PositiveIntegerField(default=0)),
                ('memory_bytes', models.BigIntegerField(default=0)),
                ('gpus', models.PositiveIntegerField(default=0)),
                ('available', models.BooleanField(default=True)),
                ('message', models.TextField(blank=True, default='')),
                ('seen_at', models.DateTimeField(blank=True, null=True)),
                ('away_since', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'ordering': ['backend', 'name'],
                'constraints': [models.UniqueConstraint(fields=('backend', 'name'), name='an engine is one row')],
            },
        ),
        migrations.CreateModel(
            name='Node',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('key', models.CharField(max_length=32, unique=True)),
                ('state', models.CharField(choices=[('preparing', 'Preparing'), ('idle', 'Idle'), ('running', 'Running'), ('leaving', 'Leaving'), ('unusable', 'Unusable')], default='preparing', max_length=20)),
                ('cpus', models.FloatField(default=1)),
                ('memory_bytes', models.BigIntegerField(default=0)),
                ('gpus', models.JSONField(blank=True, default=list)),
                ('network', models.CharField(blank=True, default='', max_length=100)),
                ('volume', models.CharField(blank=True, default='', max_length=100)),
                ('run_id', models.CharField(blank=True, default='', max_length=256)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('ready_at', models.DateTimeField(blank=True, null=True)),
                ('idle_since', models.DateTimeField(blank=True, null=True)),
                ('state_since', models.DateTimeField(default=django.utils.timezone.now)),
                ('message', models.TextField(blank=True, default='')),
                ('engine', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='nodes', to='compute.engine')),
                ('target', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='nodes_set', to='compute.computetarget')),
            ],
            options={
                'ordering': ['target', 'number'],
                'indexes': [models.Index(condition=models.Q(('run_id', ''), _negated=True), fields=['run_id'], name='nodes_of_a_run')],
                'constraints': [models.UniqueConstraint(fields=('target', 'number'), name="a node's number is its target's own"), models.CheckConstraint(condition=models.Q(models.Q(('state', 'running'), _negated=True), models.Q(('run_id', ''), _negated=True), _connector='OR'), name='a running node runs something'), models.CheckConstraint(condition=models.Q(models.Q(('state__in', ['idle', 'preparing']), _negated=True), ('run_id', ''), _connector='OR'), name='an idle node runs nothing')],
            },
        ),
        migrations.CreateModel(
            name='Placement',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run_id', models.CharField(max_length=256, unique=True)),
                ('label', models.CharField(blank=True, default='', max_length=300)),
                ('nodes', models.PositiveIntegerField(default=1)),
                ('gpus', models.PositiveIntegerField(default=0)),
                ('priority', models.IntegerField(default=0)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('placed_at', models.DateTimeField(blank=True, null=True)),
                ('position', models.PositiveIntegerField(default=0)),
                ('reason', models.TextField(blank=True, default='')),
                ('target', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='placements', to='compute.computetarget')),
            ],
            options={
                'ordering': ['-priority', 'asked_at', 'run_id'],
                'indexes': [models.Index(fields=['target', 'placed_at'], name='placements_waiting')],
            },
        ),
        migrations.CreateModel(
            name='ScalingEvent',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('at', models.DateTimeField(default=django.utils.timezone.now)),
                ('kind', models.CharField(max_length=30)),
                ('nodes', models.PositiveIntegerField(default=0)),
                ('node', models.CharField(blank=True, default='', max_length=100)),
                ('run_id', models.CharField(blank=True, default='', max_length=256)),
                ('message', models.TextField(blank=True, default='')),
                ('target', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='events', to='compute.computetarget')),
            ],
            options={
                'ordering': ['-at', '-id'],
                'indexes': [models.Index(fields=['target', '-at'], name='events_of_a_target')],
            },
        ),
        migrations.CreateModel(
            name='UsageSample',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run_id', models.CharField(max_length=256)),
                ('node', models.CharField(blank=True, default='', max_length=255)),
                ('workspace_id', models.BigIntegerField()),
                ('target_id', models.BigIntegerField(blank=True, null=True)),
                ('at', models.DateTimeField()),
                ('cpu_percent', models.FloatField(default=0)),
                ('memory_bytes', models.BigIntegerField(default=0)),
                ('memory_limit', models.BigIntegerField(default=0)),
                ('disk_read', models.BigIntegerField(default=0)),
                ('disk_written', models.BigIntegerField(default=0)),
                ('network_received', models.BigIntegerField(default=0)),
                ('network_sent', models.BigIntegerField(default=0)),
                ('gpu_percent', models.FloatField(blank=True, null=True)),
                ('gpu_memory_bytes', models.BigIntegerField(blank=True, null=True)),
            ],
            options={
                'ordering': ['at', 'id'],
                'indexes': [models.Index(fields=['run_id', 'at'], name='usage_of_a_run'), models.Index(fields=['target_id', 'at'], name='usage_of_a_target'), models.Index(fields=['at'], name='usage_by_age')],
            },
        ),
        migrations.CreateModel(
            name='VmSize',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(help_text='As scripts write it, for example STANDARD_D2_V2.', max_length=64, unique=True)),
                ('cpus', models.PositiveIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('memory_gib', models.FloatField(validators=[django.core.validators.MinValueValidator(0.25)])),
                ('gpus', models.PositiveIntegerField(default=0)),
                ('disk_gib', models.PositiveIntegerField(default=0)),
                ('family', models.CharField(blank=True, default='', max_length=64)),
            ],
            options={
                'ordering': ['name'],
                'constraints': [models.CheckConstraint(condition=models.Q(('cpus__gte', 1), ('memory_gib__gt', 0)), name='a size has a core and some memory')],
            },
        ),
    ]
