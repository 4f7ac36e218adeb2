"""`make test`: the suite in the shape of a laptop, then what touches the database again in the shape of a team.

First pass: everything, on SQLite. Second pass, where a PostgreSQL server is there: every test that uses the database,
on PostgreSQL. Tests of Docker, Chromium and registries do not run twice: what differs between the databases is SQL.
The last line adds both passes up; before it stands what was left out and why (tests/left_out.py).
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NO_TESTS = 5  # pytest's exit status when nothing was selected


def services() -> dict[str, str]:
    """The addresses that `make services` wrote, or those of another checkout named by ATELIER_SERVICES_ENV."""
    file = Path(os.environ.get("ATELIER_SERVICES_ENV") or ROOT / "var" / "services" / "env")
    if not file.is_file():
        return {}
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def count(report: Path) -> Counter[str]:
    """Tests by outcome in a JUnit report."""
    found: Counter[str] = Counter()
    if report.exists():
        for suite in ET.parse(report).getroot().iter("testsuite"):
            bad = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            found += Counter(failed=bad, skipped=skipped, passed=max(int(suite.get("tests", 0)) - bad - skipped, 0))
    return found


def run(title: str, extra: list[str], environment: dict[str, str], workers: str) -> tuple[int, Counter[str]]:
    """One pass of pytest: its exit status and counts."""
    print(f"\n== {title}", flush=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-n", workers, f"--junitxml={report}", *extra]
        status = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        counts = count(report)
    print(f"== {title}: {time.monotonic() - started:.0f} s", flush=True)
    return status, counts


def main() -> int:
    """Exit status: 0 when every selected test passed and at least one ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["both", "sqlite", "postgres"], default="both")
    parser.add_argument("-n", dest="workers", default="3", help="test processes (default 3: most wait for something)")
    options, extra = parser.parse_known_args()
    environment = {**services(), **os.environ}
    postgres = environment.get("TEST_POSTGRES_URL")
    passes = []
    if options.database != "postgres":
        passes.append(("The suite on SQLite", extra, {**environment, "ATELIER_TEST_DATABASE_URL": ""}))
    if options.database != "sqlite" and postgres:
        on_postgres = {**environment, "ATELIER_TEST_DATABASE_URL": postgres}
        passes.append(("What uses the database, on PostgreSQL", ["--only-database", *extra], on_postgres))
    worst, total = 0, Counter[str]()
    for title, arguments, values in passes:
        status, counts = run(title, arguments, values, options.workers)
        total += counts
        worst = max(worst, 0 if status == NO_TESTS else status)
    if options.database != "sqlite" and not postgres:
        print(
            "Left out: everything on PostgreSQL, because no server is known. `make services` installs and starts one."
        )
    line = f"{total['passed']} passed, {total['failed']} failed"
    print(line + (f", {total['skipped']} skipped" if total["skipped"] else ""), flush=True)
    return worst or (0 if total["passed"] else NO_TESTS)


if __name__ == "__main__":
    sys.exit(main())
