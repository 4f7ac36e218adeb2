"""Jobs as local processes, end to end: what goes in, what comes out, and how each end is told."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from tests.execution.live import TICKS, Live, alive, has_all_points, ticks_of

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(180)]

WRITES = """
import os, sys, pathlib
os.makedirs("outputs/deep", exist_ok=True)
pathlib.Path("outputs/deep/a.bin").write_bytes(bytes(range(256)))
pathlib.Path("outputs/empty").touch()
pathlib.Path("outputs/big.bin").write_bytes(b"x" * 2_000_000)
os.symlink("/etc/hostname", "outputs/leads-out")
os.symlink("deep/a.bin", "outputs/leads-in")
with open("logs/progress.txt", "w") as f:
    f.write("one\\n")
    f.flush()
    print("written", flush=True)
    while not os.path.exists(sys.argv[1]):
        pass
    f.write("two\\n")
with open("logs/rewritten.txt", "w") as f:
    f.write("last words\\n")
print(os.environ["COLOUR"], os.environ["MY_PASSWORD"], os.environ["AZUREML_RUN_TOKEN"], sys.argv)
print("to the error stream", file=sys.stderr)
"""


def test_files_logs_and_variables_make_the_round_trip(live: Live, tmp_path: Path):
    go = tmp_path / "go"
    run_id = live.submit(
        WRITES, str(go), "--name", "ä b", environmentVariables={"COLOUR": "blue", "MY_PASSWORD": "hunter2-hunter2"}
    )
    live.says(run_id, "written")
    live.until(run_id, lambda run: live.log(run_id, "logs/progress.txt") == "one\n", 10, "logs/ is followed live")
    assert live.get(run_id)["status"] == "Running"
    go.touch()
    run = live.ends(run_id)
    assert run["status"] == "Completed" and run["error"] is None
    kept = live.artifacts(run_id)
    assert kept["outputs/deep/a.bin"] == 256 and kept["outputs/empty"] == 0 and kept["outputs/big.bin"] == 2_000_000
    assert live.artifact(run_id, "outputs/leads-in") == bytes(range(256)) and "outputs/leads-out" not in kept
    assert live.artifact(run_id, "logs/progress.txt") == b"one\ntwo\n"
    log = live.log(run_id)
    assert "'--name', 'ä b'" in log and "to the error stream" in log
    assert "blue *************** ****" in log and "hunter2" not in log and "atr_" not in log
    assert not live.folder(run_id).exists()
    assert live.states(run_id) == [
        "NotStarted",
        "Starting",
        "Preparing",
        "Queued",
        "Running",
        "Finalizing",
        "Completed",
    ]


def test_what_the_process_was_and_what_became_of_it_is_kept_as_v1_does(live: Live):
    spends = "import sys, time\nwhile time.process_time() < 0.3: pass\nx = bytearray(50_000_000)\nraise KeyError('no')"
    run_id = live.submit(spends, "--pw", 'hunter2 "quoted"', environmentVariables={"MY_PASSWORD": 'hunter2 "quoted"'})
    run = live.ends(run_id)
    properties = run["properties"]
    assert properties["_azureml.ComputeTargetType"] == "local"
    info = json.loads(live.artifact(run_id, properties["ProcessInfoFile"]))
    assert info["command"][1:4] == ["-u", "train.py", "--pw"] and info["command"][0] == info["interpreter"]
    assert set(info["command"][4]) == {"*"} and info["task"] == 0 and info["processorCount"] >= 1
    status = json.loads(live.artifact(run_id, properties["ProcessStatusFile"]))
    assert (status["status"], status["exitCode"], status["signal"]) == ("Failed", 1, None)
    assert status["errorType"] == "KeyError" and status["userCpuSeconds"] + status["systemCpuSeconds"] >= 0.3
    assert status["maxResidentBytes"] > 50_000_000 and status["startTimeUtc"] == info["startTimeUtc"]
    assert status["seconds"] >= 0.3 and status["endTimeUtc"] > status["startTimeUtc"]
    (before,) = (path for path in live.artifacts(run_id) if path.startswith("azureml-logs/65_job_prep-"))
    (after,) = (path for path in live.artifacts(run_id) if path.startswith("azureml-logs/75_job_post-"))
    assert "Unpacked the snapshot" in live.log(run_id, before) and "The logs follow" in live.log(run_id, after)


FAILURES = [
    ("raise ValueError('no such column: Diabetes')", "UserError", "ValueError: no such column: Diabetes"),
    (
        "print('the disk is full'); raise SystemExit(3)",
        "ExitCode",
        "exit code 3. The last line of its log: the disk is full",
    ),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", "Signal", "SIGSEGV"),
    ("def broken(:", "UserError", "SyntaxError"),
    ("from azureml.core import Run; Run.get_context().fail(error_details='AUC too low')", "UserError", "AUC too low"),
]


def test_each_end_is_told_in_its_own_words(live: Live):
    # All are submitted before the first is waited for: they run side by side.
    runs = [live.submit(script) for script, _, _ in FAILURES]
    for run_id, (_, code, words) in zip(runs, FAILURES, strict=True):
        run = live.ends(run_id)
        assert run["status"] == "Failed", live.everything(run_id)
        assert run["error"]["code"] == code and words in run["error"]["message"], run["error"]


def test_a_cancel_ends_a_script_that_does_not_listen_with_all_it_started(live: Live):
    stubborn = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *a: print("not now", flush=True))
child = subprocess.Popen([sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(600)"])
print("child", child.pid, flush=True)
while True:
    time.sleep(0.1)
"""
    run_id = live.submit(stubborn)
    child = int(live.says(run_id, "\n").split()[1])
    start = live.cancel(run_id)
    run = live.ends(run_id, 30)
    assert run["status"] == "Canceled" and time.monotonic() - start < 15 and run["error"] is None
    assert "not now" in live.log(run_id) and not alive(child) and not live.folder(run_id).exists()


def test_a_cancelled_script_that_listens_keeps_what_it_saves(live: Live):
    polite = """
import signal, sys, time
def save(*a):
    open("outputs/checkpoint", "w").write("saved")
    sys.exit(0)
signal.signal(signal.SIGTERM, save)
print("ready", flush=True)
time.sleep(600)
"""
    run_id = live.submit(polite)
    live.says(run_id, "ready")
    start = live.cancel(run_id)
    assert live.ends(run_id, 20)["status"] == "Canceled" and time.monotonic() - start < 10
    assert live.artifact(run_id, "outputs/checkpoint") == b"saved"


def test_a_time_limit_is_kept_and_said(live: Live):
    run_id = live.submit(TICKS, "600", "0.2", maxRunDurationSeconds=2)
    run = live.ends(run_id, 30)
    assert (
        run["status"] == "Failed"
        and run["error"]["code"] == "TimeLimitExceeded"
        and "2 seconds" in run["error"]["message"]
    )
    ticks = ticks_of(live.log(run_id))
    assert ticks and ticks == list(range(len(ticks))) and has_all_points(live, run_id, ticks)


def test_a_command_runs_in_a_shell_or_as_it_is(live: Live):
    shell = live.submit(
        "", script="", command="echo $COLOUR | tr a-z A-Z; exit 4", environmentVariables={"COLOUR": "blue"}
    )
    listed = live.submit("", script="", command=["python", "-c", "import sys; print(sys.argv[1:])", "$HOME", "a b"])
    missing = live.submit("", script="", command=["no-such-program"])
    assert live.ends(shell)["error"]["code"] == "ExitCode" and live.log(shell) == "BLUE\n"
    assert live.ends(listed)["status"] == "Completed" and live.log(listed) == "['$HOME', 'a b']\n"
    assert "no-such-program" in live.ends(missing)["error"]["message"]


def test_an_environment_that_cannot_be_made_ends_the_run_with_the_name_of_the_package(live: Live):
    packages = {"python": {"userManagedDependencies": False, "condaDependencies": {
        "dependencies": ["python=3.11", {"pip": ["no-such-package-of-this-name==1"]}]}}}  # fmt: skip
    run = live.ends(live.submit("print(1)", environment=packages), 120)
    assert run["status"] == "Failed" and "no-such-package-of-this-name" in run["error"]["message"]
    python = {"python": {"userManagedDependencies": True, "interpreterPath": "/no/such/python"}}
    run = live.ends(live.submit("print(1)", environment=python))
    assert run["status"] == "Failed" and "/no/such/python" in run["error"]["message"], run["error"]


def test_files_of_every_kind_are_kept_or_named(live: Live):
    odd = """
import os
for n in range(700):
    open(f"outputs/{n}.txt", "w").write(str(n))
open("outputs/ü b#?%.txt", "w").write("odd")
open(b"outputs/bad\\x01name", "w").write("control")
open("logs/raw.bin", "wb").write(bytes(range(256)) * 10)
"""
    run_id = live.submit(odd)
    assert live.ends(run_id, 60)["status"] == "Completed"
    kept = live.artifacts(run_id)
    assert {f"outputs/{n}.txt" for n in range(700)} <= set(kept) and kept["outputs/ü b#?%.txt"] == 3
    assert live.artifact(run_id, "logs/raw.bin") == bytes(range(256)) * 10
    after = next(name for name in kept if name.startswith("azureml-logs/75_"))
    assert "Not kept: outputs/bad" in live.log(run_id, after)


def test_a_job_does_not_see_the_servers_secrets(live: Live):
    run_id = live.submit("import os; print(sorted(os.environ)); print(os.environ.get('DATABASE_URL'))")
    assert live.ends(run_id)["status"] == "Completed"
    log = live.log(run_id)
    assert "'DATABASE_URL'" not in log and "SECRET_KEY" not in log and "DJANGO" not in log and "AZUREML_RUN_ID" in log
    assert os.environ.get("ATELIER_HOME", "none") not in log
