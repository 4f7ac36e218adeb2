"""`make check`: what a reviewer should not have to look for. Every check runs; the exit status tells whether all passed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.prefix) / "bin"
CHECKS: list[tuple[str, list[str]]] = [
    ("format", ["ruff", "format", "--check", "."]),
    ("lint", ["ruff", "check", "."]),
    ("layers", ["lint-imports", "--no-logo"]),
    ("templates", ["djlint", "templates", "--lint", "--quiet"]),
    ("shell", ["bash", "-n", "scripts/services.sh", "scripts/base-image.sh", ".ci/run"]),
    ("migrations", ["python", "manage.py", "makemigrations", "--check", "--dry-run"]),
    ("settings", ["python", "manage.py", "check", "--fail-level", "WARNING"]),
    # Tests are held by running them; types here are for what others import.
    ("types", ["mypy", "studio", "runs", "sdk/atelier", "sdk/azureml", "sdk/atelier_jobs"]),
]


def main(only: list[str]) -> int:
    """Run the checks, or those named; 1 when any failed."""
    failed = []
    with tempfile.TemporaryDirectory(prefix="atelier-check-") as home:
        # Checks that load Django must not make a database or a key in the checkout.
        environment = {
            **os.environ,
            "ATELIER_HOME": home,
            "DATABASE_URL": "",
            "REDIS_URL": "",
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "sdk"))),
        }
        Path(home, "static").mkdir()
        for name, command in CHECKS:
            if only and name not in only:
                continue
            started = time.monotonic()
            program = BIN / command[0]
            done = subprocess.run(
                [str(program if program.exists() else command[0]), *command[1:]],
                cwd=ROOT,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
            verdict = "ok" if done.returncode == 0 else "FAILED"
            print(f"{name:<12}{verdict:<8}{time.monotonic() - started:5.1f} s", flush=True)
            if done.returncode:
                failed.append(name)
                print((done.stdout + done.stderr).rstrip(), flush=True)
    if failed:
        print(f"Not passed: {', '.join(failed)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
