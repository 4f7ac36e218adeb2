"""How a script's end is told."""

from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from atelier_jobs.agent.failure import end_of, last_traceback, last_words

PLAIN = """about to fail
Traceback (most recent call last):
  File "/job/work/fail.py", line 5, in <module>
    raise ValueError("no such column: Diabetes")
ValueError: no such column: Diabetes
"""
CHAINED = """Traceback (most recent call last):
  File "a.py", line 1, in <module>
    {}["x"]
KeyError: 'x'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "a.py", line 3, in <module>
    raise sub.errors.TooFar("two\\nlines")
sub.errors.TooFar: two
lines

Sentry is attempting to send 2 events
"""
RANKED = """[1,1]<stderr>:Traceback (most recent call last):
[1,1]<stderr>:  File "t.py", line 2, in <module>
[1,1]<stderr>:    raise SystemError("rank 1 gives up")
[1,1]<stderr>:SystemError: rank 1 gives up
mpirun noticed that the job aborted
"""
SYNTAX = """  File "/job/work/train.py", line 3
    def f(:
          ^
SyntaxError: invalid syntax
"""


@pytest.mark.parametrize(
    ("log", "kind", "message"),
    [
        (PLAIN, "ValueError", "ValueError: no such column: Diabetes"),
        (CHAINED, "TooFar", "sub.errors.TooFar: two"),
        (RANKED, "SystemError", "SystemError: rank 1 gives up"),
        (SYNTAX, "SyntaxError", "SyntaxError: invalid syntax"),
        (PLAIN.replace("\n", "\r\n"), "ValueError", "ValueError: no such column: Diabetes"),
        (
            "Traceback (most recent call last):\n  File 'a'\nKeyboardInterrupt\n",
            "KeyboardInterrupt",
            "KeyboardInterrupt",
        ),
    ],
)
def test_the_last_traceback_speaks_for_the_run(log, kind, message):
    found = last_traceback(log)
    assert found and (found["type"], found["message"]) == (kind, message)
    assert message in found["traceback"] and "SENTRY" not in found["traceback"]


@pytest.mark.parametrize(
    "log", ["", "all is well\n", "Traceback (most recent call last):\n  File", "Error: not a traceback\n"]
)
def test_a_log_without_a_whole_traceback_has_none(log):
    assert last_traceback(log) is None


@given(st.text())
def test_no_log_breaks_the_search(log):
    last_traceback(log + "\nTraceback (most recent call last):\n" + log)
    assert len(last_words(log)) <= 500


def test_exit_code_signal_and_shell_are_told_apart(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("working\nNo space left\n\n")
    assert end_of(0, log, None).error is None
    code = end_of(3, log, None)
    assert code.exit_code == 3 and code.error["type"] == "ExitCode" and "exit code 3" in code.error["message"]
    assert "No space left" in code.error["message"]
    fault = end_of(-signal.SIGSEGV, log, None)
    assert fault.exit_code is None and fault.signal == "SIGSEGV" and "native code" in fault.error["message"]
    shell = end_of(139, log, None)
    assert shell.exit_code == 139 and "native code" in shell.error["message"]
    log.write_text(PLAIN)
    failed = end_of(1, log, None)
    assert failed.exit_code == 1 and failed.error["message"] == "ValueError: no such column: Diabetes"


def test_a_kill_for_want_of_memory_is_told_from_other_kills(tmp_path):
    log = tmp_path / "log.txt"
    log.write_text("loading\n")
    # The machine's count only grows: a count from before that is smaller means that one more was killed.
    assert end_of(-9, log, -1).error["type"] == "OutOfMemory"
    assert end_of(-9, log, 10**12).error["type"] == "Signal"
