"""`manage.py prepare`: brings a new or updated installation to where it can serve. Safe to run at every start."""

from __future__ import annotations

import hashlib
import json
import secrets
from importlib.metadata import version
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from studio.workspace import members, storage, tokens
from studio.workspace.models import Token, Workspace


def migrate() -> bool:
    """Bring the schema up to date; False when it was."""
    executor = MigrationExecutor(connection)
    if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return False
    call_command("migrate", verbosity=0, interactive=False)
    return True


def _fingerprint() -> str:
    """Changes with any static file of ours and with the packages that ship some."""
    digest = hashlib.sha256()
    for name in ("django", "django-htmx", "plotly"):
        digest.update(f"{name}=={version(name)}\n".encode())
    for folder in map(Path, settings.STATICFILES_DIRS):
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                status = file.stat()
                digest.update(f"{file} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def collect_static() -> bool:
    """Collect and compress the static files when any has changed; compressing plotly.js takes seconds."""
    stamp = Path(settings.STATIC_ROOT) / ".collected-from"
    wanted = _fingerprint()
    if stamp.exists() and stamp.read_text() == wanted:
        return False
    call_command("collectstatic", verbosity=0, interactive=False)
    stamp.write_text(wanted)
    return True


class Command(BaseCommand):
    """Migrations, static files, the store's folders, the first administrator and the first workspace."""

    requires_system_checks = []  # they load every page, and are CI's: this stands before each start
    help = "Migrates, collects static files, and makes an administrator and a workspace where there are none."

    def add_arguments(self, parser: CommandParser) -> None:
        """The names of what is made, and the form of the answer."""
        parser.add_argument("--admin", default="admin", help="name of the administrator to make when there is none")
        parser.add_argument("--workspace", default="atelier", help="name of the workspace to make when it is not there")
        parser.add_argument("--subscription-id", default="", help="what config.json of v1 scripts has for it")
        parser.add_argument("--resource-group", default="", help="what config.json of v1 scripts has for it")
        parser.add_argument("--token", metavar="NAME", help="give the administrator a token of that name, for one day")
        parser.add_argument("--json", action="store_true", help="answer in JSON")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it, in the order in which each needs the one before."""
        result: dict[str, Any] = {"migrated": migrate(), "static_files": collect_static()}
        people = get_user_model().objects
        storage.make_folders()
        password = None
        admin = people.filter(is_superuser=True, is_active=True).order_by("pk").first()
        if admin is None:
            password = secrets.token_urlsafe(12)
            admin = people.create_superuser(options["admin"], password=password)
        result |= {"admin": admin.get_username(), "admin_password": password, "workspace": options["workspace"]}
        if not Workspace.objects.filter(name=options["workspace"]).exists():
            members.create_workspace(
                options["workspace"],
                admin,
                subscription_id=options["subscription_id"],
                resource_group=options["resource_group"],
            )
        if options["token"]:
            # The text of the last one is gone with the process that used it: one live token of that name at a time.
            Token.objects.filter(user=admin, name=options["token"]).delete()
            result["token"] = tokens.make(admin, options["token"], days=1)[1]
        if options["json"]:
            self.stdout.write(json.dumps(result))
            return
        self.stdout.write(f"The database and the static files are up to date; workspace: {result['workspace']}.")
        if password:
            self.stdout.write(f"Administrator: {admin.get_username()}, password: {password} (shown this once)")
