"""The server as processes: it comes up, survives kill -9, and stays light."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.stack import Stack

ROOT = Path(__file__).resolve().parents[2]
HEAVY = {"pandas", "plotly", "fairlearn", "interpret", "shap", "scipy", "sklearn", "matplotlib", "rattler", "lightgbm"}


# Some tenths of a second each: loaded behind the first answer, not before it.
LATER = {"celery", "docker", "numpy", "pynvml", "requests"}
FIRST_ANSWER = """
import json, sys, threading
from wsgiref.util import setup_testing_defaults
import studio.wsgi
environ = {"PATH_INFO": "/health"}
setup_testing_defaults(environ)
said = []
answer = studio.wsgi.application(environ, lambda status, headers: said.append(status))
tops = lambda: sorted({name.split(".")[0] for name in sys.modules})
first = tops()
answer.close()
for thread in threading.enumerate():
    if thread.name == "load-the-rest":
        thread.join()
print(json.dumps([said, first, tops()]))
"""


def loaded(code: str) -> list:
    """What a process of its own says as its last line, in JSON."""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_the_first_answer_waits_for_nothing_that_it_does_not_need_and_the_rest_follows():
    said, first, then = loaded(FIRST_ANSWER)
    assert said == ["200 OK"]
    assert not set(first) & (LATER | HEAVY)
    assert {"celery", "numpy"} <= set(then), "the next caller would wait for them"
    assert not set(then) & HEAVY


def test_a_process_that_nobody_asks_loads_the_rest_all_the_same():
    code = """
import json, sys
import studio.wsgi
studio.wsgi._soon.join()
for thread in studio.wsgi._loading:
    thread.join()
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""
    assert {"celery", "numpy"} <= set(loaded(code)), "the first one whom the second process answers would wait for them"


def test_the_server_loads_nothing_heavy_when_it_starts():
    """Each of these costs a second or 50 MB; what needs one imports it when it is first asked for."""
    modules = loaded(
        "import json, sys\nimport studio.wsgi, studio.celery\nfrom django.urls import get_resolver\n"
        "[part.url_patterns for part in get_resolver().url_patterns if hasattr(part, 'url_patterns')]\n"
        "studio.celery.app.loader.import_default_modules()\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    assert not set(modules) & HEAVY


@pytest.mark.xdist_group("stack")
def test_a_killed_web_server_comes_back_with_its_data(stack: Stack):
    token = stack.person("walter", role="reader")

    def me() -> dict:
        request = urllib.request.Request(f"{stack.url}/api/v1/me", headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    assert me()["user"] == "walter"
    stack.kill("web")
    stack.revive()
    assert me()["workspaces"][0]["name"] == stack.workspace
