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


def test_the_server_loads_nothing_heavy_when_it_starts():
    """Each of these costs a second or 50 MB; what needs one imports it when it is first asked for."""
    code = (
        "import json, sys\nimport studio.wsgi, studio.celery\nfrom django.urls import get_resolver\n"
        "get_resolver().url_patterns\nstudio.celery.app.loader.import_default_modules()\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(done.stdout.splitlines()[-1]))
    assert not loaded & HEAVY


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
