"""A run followed in a notebook: a real Jupyter kernel executes the cells, and what it sends is what a browser gets."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from nbclient import NotebookClient

from tests.stack import Stack

pytestmark = [pytest.mark.xdist_group("stack"), pytest.mark.timeout(180)]
START = """
from azureml.core import Workspace, Experiment
from azureml.widgets import RunDetails
run = Experiment(Workspace.from_config(), "in a notebook").start_logging(display_name="<b>notebook</b>")
run.log("loss", 0.5)
RunDetails(run).show()
"""


class Watched(NotebookClient):
    """Runs cells, and hears all that the kernel sends to a browser: a widget's thread belongs to no cell."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.values: list[str] = []
        self.browser = BlockingKernelClient()

    def listen(self) -> None:
        """From now on, as a browser beside this client does."""
        self.browser.load_connection_file(self.km.connection_file)
        self.browser.start_channels(shell=False, stdin=False, hb=False, control=False)

    def hear(self, seconds: float) -> None:
        """Take up the values that the kernel has given to widgets; waits so long for the next message."""
        with contextlib.suppress(queue.Empty):
            while True:
                content = self.browser.get_iopub_msg(timeout=seconds)["content"]
                value = content.get("data", {}).get("state", {}).get("value")
                if isinstance(value, str):
                    self.values.append(value)

    def run_cell(self, code: str) -> str:
        """Execute one more cell; the text that it printed. A cell that raises fails the test."""
        cell = nbformat.v4.new_code_cell(code)
        self.nb.cells.append(cell)
        self.execute_cell(cell, len(self.nb.cells) - 1)
        return "".join(one.get("text", "") for one in cell.outputs if one["output_type"] == "stream")

    def wait_for(self, wanted: Callable[[str], bool], what: str) -> str:
        """The first value that is as wanted."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            self.hear(0.1)
            if found := next((value for value in self.values if wanted(value)), None):
                return found
        raise AssertionError(f"the widget never showed {what}: {self.values}")


@pytest.fixture
def notebook(stack: Stack, signed_in: Path, tmp_path: Path):
    """An empty notebook whose kernel is a user of the server."""
    kernel = Watched(nbformat.v4.new_notebook(), timeout=60, kernel_name="python3", resources={"metadata": {"path": str(signed_in)}})  # fmt: skip
    home = {"IPYTHONDIR": str(tmp_path / "ipython"), "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")}
    with kernel.setup_kernel(env=stack.user_environment(**home)):
        kernel.listen()
        yield kernel
        kernel.browser.stop_channels()


def test_a_widget_follows_an_interactive_run_to_its_end(notebook: Watched):
    notebook.run_cell(START)
    shown = notebook.wait_for(lambda value: "Running" in value, "the running state")
    assert "<td>0.5</td>" in shown and "&lt;b&gt;notebook&lt;/b&gt;" in shown and "<svg" not in shown
    views = [out["data"] for cell in notebook.nb.cells for out in cell.outputs if out["output_type"] == "display_data"]
    assert any("application/vnd.jupyter.widget-view+json" in data for data in views)

    notebook.run_cell('run.log("loss", 0.25); run.flush()')
    live = notebook.wait_for(lambda value: "0.25 (last of 2)" in value, "the second value")
    assert "Running" in live and "<svg" in live, "a series has its line while the run is still on"

    notebook.run_cell("run.complete()")
    assert "Completed" in notebook.wait_for(lambda value: "Completed" in value, "the end")
    following = 'print([t.name for t in __import__("threading").enumerate() if t.name.startswith("atelier-widget")])'
    for _ in range(100):
        if notebook.run_cell(following).strip() == "[]":
            return
    raise AssertionError("the widget still asks for a run that has ended")


def test_a_notebook_without_ipywidgets_gets_text_and_is_told_what_to_install(notebook: Watched):
    printed = notebook.run_cell('import sys; sys.modules["ipywidgets"] = None' + START)
    assert "loss: 0.5" in printed and "Running" in printed and "pip install ipywidgets" in printed
    notebook.hear(0.5)
    assert not notebook.values
    notebook.run_cell("run.complete()")


def test_a_notebook_shows_how_far_an_upload_has_come(notebook: Watched):
    code = """
from atelier import progress
progress.APPEARS = 0.0
with open("large.bin", "wb") as file:
    file.truncate(6_000_000)
run.upload_file("outputs/large.bin", "large.bin")
run.complete()
"""
    printed = notebook.run_cell(START + code)
    assert "Uploading outputs/large.bin" in printed and "of 6.0 MB" in printed
