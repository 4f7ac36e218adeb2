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
            name='Build',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                ('backend', models.CharField(choices=[('process', 'Process'), ('docker', 'Docker')], max_length=10)),
                ('engine', models.CharField(blank=True, default='', max_length=255)),
                ('state', models.CharField(choices=[('Queued', 'Queued'), ('Building', 'Building'), ('Succeeded', 'Succeeded'), ('Failed', 'Failed'), ('Canceled', 'Canceled')], default='Queued', max_length=10)),
                ('environment', models.CharField(blank=True, default='', max_length=255)),
                ('version', models.CharField(blank=True, default='', max_length=64)),
                ('definition', models.JSONField()),
                ('run_id', models.CharField(blank=True, default='', max_length=256)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('started_at', models.DateTimeField(blank=True, null=True)),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('cancel_requested_at', models.DateTimeField(blank=True, null=True)),
                ('holder', models.CharField(blank=True, default='', max_length=64)),
                ('leased_until', models.DateTimeField(blank=True, null=True)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('source', models.CharField(blank=True, default='', max_length=40)),
                ('image', models.CharField(blank=True, default='', max_length=255)),
                ('message', models.TextField(blank=True, default='')),
                ('drift', models.TextField(blank=True, default='')),
                ('workspace', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='builds', to='workspace.workspace')),
            ],
            options={
                'indexes': [models.Index(fields=['workspace', '-created_at'], name='builds_of_a_workspace'), models.Index(fields=['key'], name='builds_by_key')],
                'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['Queued', 'Building'])), fields=('key', 'backend', 'engine'), name='one build per image at a time'), models.CheckConstraint(condition=models.Q(('state__in', ['Queued', 'Building', 'Succeeded', 'Failed', 'Canceled'])), name="a build's state is a known one"), models.CheckConstraint(condition=models.Q(('ended_at__isnull', True), models.Q(('state__in', ['Queued', 'Building']), _negated=True), _connector='OR'), name='only an ended build has an end')],
            },
        ),
        migrations.CreateModel(
            name='BuildLog',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('offset', models.BigIntegerField()),
                ('data', models.BinaryField()),
                ('build', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='log_pieces', to='environments.build')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('build', 'offset'), name='a piece of a build log is written once')],
            },
        ),
        migrations.CreateModel(
            name='Credential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('address', models.CharField(max_length=255)),
                ('username', models.CharField(max_length=255)),
                ('password', models.TextField()),
                ('changed_at', models.DateTimeField(auto_now=True)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='registry_credentials', to='workspace.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'address', 'username'), name='a workspace has one password per registry and name')],
            },
        ),
        migrations.CreateModel(
            name='Environment',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('name', models.CharField(max_length=255)),
                ('last_version', models.PositiveIntegerField(default=0)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='environments', to='workspace.workspace')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('workspace', 'name'), name="an environment's name is its workspace's own")],
            },
        ),
        migrations.CreateModel(
            name='EnvironmentVersion',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.PositiveIntegerField()),
                ('definition', models.JSONField()),
                ('content', models.CharField(max_length=64)),
                ('created_by', models.CharField(blank=True, default='', max_length=150)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('built', models.JSONField(blank=True, default=dict)),
                ('environment', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='versions', to='environments.environment')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('environment', 'version'), name="an environment's version is registered once")],
            },
        ),
        migrations.CreateModel(
            name='Lock',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('packages_key', models.CharField(max_length=64)),
                ('python', models.CharField(max_length=20)),
                ('platform', models.CharField(max_length=40)),
                ('pip', models.TextField(blank=True, default='')),
                ('conda', models.TextField(blank=True, default='')),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('replaced_at', models.DateTimeField(blank=True, null=True)),
                ('build', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='environments.build')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('replaced_at__isnull', True)), fields=('packages_key', 'python', 'platform'), name='one lock in force per specification and Python')],
            },
        ),
        migrations.CreateModel(
            name='Image',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('key', models.CharField(max_length=64)),
                ('backend', models.CharField(max_length=10)),
                ('engine', models.CharField(blank=True, default='', max_length=255)),
                ('name', models.CharField(max_length=255)),
                ('digest', models.CharField(blank=True, default='', max_length=100)),
                ('size', models.BigIntegerField(default=0)),
                ('python', models.CharField(blank=True, default='', max_length=20)),
                ('base_image', models.CharField(blank=True, default='', max_length=255)),
                ('base_digest', models.CharField(blank=True, default='', max_length=200)),
                ('source', models.CharField(blank=True, default='', max_length=40)),
                ('created_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('used_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('removed_at', models.DateTimeField(blank=True, null=True)),
                ('build', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='images', to='environments.build')),
                ('lock', models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='images', to='environments.lock')),
            ],
            options={
                'indexes': [models.Index(fields=['key'], name='images_by_key')],
                'constraints': [models.UniqueConstraint(fields=('backend', 'engine', 'name'), name="an image's name is its engine's own")],
            },
        ),
        migrations.CreateModel(
            name='Use',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('run_id', models.CharField(max_length=256, unique=True)),
                ('environment', models.CharField(blank=True, default='', max_length=255)),
                ('version', models.CharField(blank=True, default='', max_length=64)),
                ('key', models.CharField(db_index=True, max_length=64)),
                ('backend', models.CharField(max_length=10)),
                ('waiting', models.BooleanField(default=True)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('build', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='uses', to='environments.build')),
                ('image', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='uses', to='environments.image')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='environment_uses', to='workspace.workspace')),
            ],
            options={
                'indexes': [models.Index(fields=['workspace', '-asked_at'], name='uses_of_a_workspace')],
            },
        ),
    ]
