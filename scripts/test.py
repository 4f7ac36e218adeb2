"""`make test`: the suite in the shape of a laptop, then what touches the database again in the shape of a team.

First pass: everything, on SQLite. Second pass, where a PostgreSQL server is there: every test that uses the database,
on PostgreSQL. Tests of Docker, Chromium and registries do not run twice: what differs between the databases is SQL.
The passes run beside each other, as the first waits for containers more than it computes; what the second says is shown
when it has ended. The last line adds both up; before it stands what was left out and why (tests/left_out.py).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

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


@dataclass
class Pass:
    """One run of pytest over the suite."""

    title: str
    arguments: list[str]
    environment: dict[str, str]
    workers: str
    folder: Path
    shown_later: bool = False
    seconds: float = 0.0
    process: subprocess.Popen[bytes] | None = None
    _ends: Thread | None = None

    @property
    def report(self) -> Path:
        """Its JUnit report."""
        return self.folder / "report.xml"

    def start(self) -> None:
        """Begin; `end` waits."""
        self.folder.mkdir()
        command = [sys.executable, "-m", "pytest", "-q", "-n", self.workers, f"--junitxml={self.report}"]
        with (self.folder / "output").open("wb") as later:
            self.process = subprocess.Popen(
                [*command, *self.arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=later if self.shown_later else None,
                stderr=subprocess.STDOUT if self.shown_later else None,
            )
        started = time.monotonic()

        def timed() -> None:
            assert self.process
            self.process.wait()
            self.seconds = time.monotonic() - started

        self._ends = Thread(target=timed)
        self._ends.start()

    def end(self) -> int:
        """Its exit status once it has ended and been shown."""
        assert self.process and self._ends
        self._ends.join()
        if self.shown_later:
            print(f"\n== {self.title}", flush=True)
            with (self.folder / "output").open("rb") as output:
                shutil.copyfileobj(output, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        print(f"== {self.title}: {self.seconds:.0f} s", flush=True)
        return self.process.returncode


def main() -> int:
    """Exit status: 0 when every selected test passed and at least one ran."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["both", "sqlite", "postgres"], default="both")
    parser.add_argument("-n", dest="workers", default="3", help="test processes (default 3: most wait for something)")
    options, extra = parser.parse_known_args()
    environment = {**services(), **os.environ}
    postgres = environment.get("TEST_POSTGRES_URL")
    folder = Path(tempfile.mkdtemp(prefix="atelier-tests-"))
    passes = []
    if options.database != "postgres":
        on_sqlite = {**environment, "ATELIER_TEST_DATABASE_URL": ""}
        passes.append(Pass("The suite on SQLite", extra, on_sqlite, options.workers, folder / "sqlite"))
    if options.database != "sqlite" and postgres:
        on_postgres = {**environment, "ATELIER_TEST_DATABASE_URL": postgres}
        arguments = ["--only-database", *extra]
        beside = bool(passes)
        # Beside the first, one more process is what two cores bear.
        workers = "1" if beside and options.workers != "0" else options.workers
        title = "What uses the database, on PostgreSQL"
        passes.append(Pass(title, arguments, on_postgres, workers, folder / "postgres", shown_later=beside))
    print("\n" + "\n".join(f"== {one.title}" + ", shown at its end" * one.shown_later for one in passes), flush=True)
    for one in passes:
        one.start()
    worst, total = 0, Counter[str]()
    for one in passes:
        status = one.end()
        total += count(one.report)
        worst = max(worst, 0 if status == NO_TESTS else status)
    shutil.rmtree(folder, ignore_errors=True)
    if options.database != "sqlite" and not postgres:
        print(
            "Left out: everything on PostgreSQL, because no server is known. `make services` installs and starts one."
        )
    line = f"{total['passed']} passed, {total['failed']} failed"
    print(line + (f", {total['skipped']} skipped" if total["skipped"] else ""), flush=True)
    return worst or (0 if total["passed"] else NO_TESTS)


if __name__ == "__main__":
    sys.exit(main())
