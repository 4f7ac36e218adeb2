"""Loaded before Django's settings are: tests never touch a real ATELIER_HOME, database or queue."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

HOME = tempfile.mkdtemp(prefix="atelier-tests-")
Path(HOME, "static").mkdir()  # where collectstatic would put its files; whitenoise looks there
atexit.register(shutil.rmtree, HOME, ignore_errors=True)
os.environ["ATELIER_HOME"] = HOME
# ATELIER_TEST_DATABASE_URL runs the same suite on PostgreSQL; without it, on a SQLite file.
os.environ["DATABASE_URL"] = os.environ.get("ATELIER_TEST_DATABASE_URL", "")
for name in ("REDIS_URL", "ATELIER_URL", "ATELIER_TOKEN", "ATELIER_SERVER_URL", "SERVER_URL"):
    os.environ.pop(name, None)
