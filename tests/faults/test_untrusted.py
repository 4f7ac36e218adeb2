"""What a job may not do, tried from inside one."""

from __future__ import annotations

import contextlib
import json

import pytest

from tests.faults.watched import BUILD_SECONDS, Watched

pytestmark = [pytest.mark.docker, pytest.mark.registry, pytest.mark.timeout(300)]
SECRET = "hunter2-hunter2-hunter2"
TRIES = r"""
import os, pathlib, socket, subprocess, sys, time

status = dict(line.split(":", 1) for line in pathlib.Path("/proc/self/status").read_text().splitlines())
print("uid", os.getuid(), "capabilities", status["CapEff"].strip(), status["CapBnd"].strip(), "nnp", status["NoNewPrivs"].strip())
print("socket", [str(path) for path in pathlib.Path("/").glob("*/*/docker.sock")] + [str(path) for path in pathlib.Path("/").glob("*/docker.sock")])
for name in ("pids/pids.max", "memory/memory.limit_in_bytes", "pids.max", "memory.max"):
    file = pathlib.Path("/sys/fs/cgroup", name)
    if file.exists():
        print("limit", name.split("/")[-1].split(".")[0], file.read_text().strip())
for command in (["mount", "-t", "tmpfs", "none", "/mnt"], ["chown", "0", "train.py"], ["ip", "link", "add", "x", "type", "dummy"]):
    print("may", command[0], subprocess.run(command, capture_output=True).returncode == 0)

secret = os.environ["MY_SECRET"]
sys.stdout.write(secret[:9]); sys.stdout.flush(); time.sleep(1.2)
sys.stdout.write(secret[9:] + "\n"); sys.stdout.flush()
print("token", pathlib.Path(os.environ["ATELIER_RUN_TOKEN_FILE"]).read_text() if "ATELIER_RUN_TOKEN_FILE" in os.environ else os.environ["AZUREML_RUN_TOKEN"])

for address in sys.argv[1:]:
    try:
        socket.create_connection((address, 7777), 2).close()
        print("reached", address)
    except OSError as error:
        print("not reached", address, type(error).__name__)

children = []
try:
    while True:
        pid = os.fork()
        if pid == 0:
            time.sleep(600)
            os._exit(0)
        children.append(pid)
except OSError as error:
    print("forks end after", len(children), error.strerror, flush=True)
for pid in children:
    os.kill(pid, 9)
print("through", flush=True)
"""
LISTENS = """
import socket, time
server = socket.create_server(("0.0.0.0", 7777))
print("listening", flush=True)
time.sleep(600)
"""


def test_a_job_has_no_rights_sees_nobody_elses_and_its_secrets_are_nowhere(live: Watched):
    other = live.job(LISTENS)
    live.says(other, "listening", BUILD_SECONDS)
    with contextlib.closing(live.engine.client()) as api:
        described = api.inspect_container(live.container(other))
        networks = described["NetworkSettings"]["Networks"].values()
        run_id = live.job(
            TRIES,
            *(network["IPAddress"] for network in networks),
            live.container(other),
            environmentVariables={"MY_SECRET": SECRET},
        )
        live.says(run_id, "not reached", BUILD_SECONDS)
        seen = [json.dumps(api.inspect_container(one["Id"])) for one in api.containers(all=True)]
        images = [one["Id"] for one in api.images()]
        seen += [json.dumps([api.history(image), api.inspect_image(image)]) for image in images]
        left = [change["Path"] for change in api.diff(live.container(run_id)) or []]
    live.cancel(other)
    live.completes(run_id)
    for text in seen:
        assert "atr_" not in text and "atp_" not in text and SECRET not in text
    log = live.log(run_id)
    assert "uid 10001 capabilities 0000000000000000 0000000000000000 nnp 1" in log and "socket []" in log
    assert "limit pids 4096" in log and log.count("may ") == log.count(" False")
    assert "reached " in log and "\nreached" not in log
    assert "\n***********************\n" in log and SECRET not in log and "atr_" not in log
    forks = int(log.partition("forks end after ")[2].split()[0])
    assert forks < 4096 and log.endswith("through\n")
    assert left, "the engine was asked"
    live.ends(other)


def test_what_it_prints_of_its_secrets_is_masked_in_every_log(live: Watched):
    """In a log of its own, and in an error message that the page repeats."""
    script = "import os, pathlib\npathlib.Path('logs/own.txt').write_text(os.environ['MY_SECRET'])\nraise ValueError(os.environ['MY_SECRET'])\n"
    run_id = live.job(script, environmentVariables={"MY_SECRET": SECRET})
    live.fails(run_id, "UserError", "ValueError: ***********************")
    assert SECRET not in live.run_page(run_id) and SECRET not in live.everything(run_id)
    assert SECRET not in live.artifact(run_id, "logs/own.txt").decode()
