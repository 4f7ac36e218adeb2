"""A run, live: as a widget in a notebook, as text elsewhere."""

from __future__ import annotations

import html
import sys
import threading
import time
from typing import Any

from atelier.errors import AtelierError
from atelier.run.record import FINAL
from atelier.run.run import Run

POLL = 2.0
SHOWN = 30


class RunDetails:
    """Status, metrics and the address of a run. `show` does not wait for the run."""

    def __init__(self, run_instance: Run) -> None:
        self.run = run_instance
        self._widget: Any = None

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """In a notebook a widget that follows the run until it is final; elsewhere the state as text."""
        widgets = _notebook_widgets()
        if widgets is None:
            print(as_text(self.get_widget_data()))
            return
        from IPython.display import display

        self._widget = widgets.HTML(as_html(self.get_widget_data()))
        display(self._widget)
        threading.Thread(target=self._follow, name=f"atelier-widget-{self.run.id[:12]}", daemon=True).start()

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """What is shown: run id, name, status, times, address, metrics (last values), error and the child runs."""
        details = self.run.get_details()
        metrics = self.run.get_metrics()
        return {
            "run_id": self.run.id,
            "experiment": self.run.experiment.name,
            "name": self.run.display_name,
            "status": details["status"],
            "start_time": details["startTimeUtc"],
            "end_time": details["endTimeUtc"],
            "run_url": self.run.get_portal_url(),
            "metrics": metrics,
            "error": ((details.get("error") or {}).get("error") or {}).get("message"),
            "child_runs": [
                {"run_id": one.id, "name": one.display_name, "status": one.status} for one in self._children()
            ],
        }

    def _children(self) -> list[Run]:
        return [child for child, _ in zip(self.run.get_children(), range(SHOWN), strict=False)]

    def _follow(self) -> None:
        while self._widget is not None:
            try:
                data = self.get_widget_data()
            except AtelierError as error:
                self._widget.value += f"<p>{html.escape(error.message)}</p>"
                return
            self._widget.value = as_html(data)
            if data["status"] in FINAL:
                return
            time.sleep(POLL)


def _notebook_widgets() -> Any:
    """ipywidgets, where this is a notebook's kernel and it is installed; else None."""
    if "IPython" not in sys.modules:
        return None
    from IPython.core.getipython import get_ipython

    shell = get_ipython()
    if shell is None or "ipykernel" not in type(shell).__module__:
        return None
    try:
        import ipywidgets
    except ImportError:
        return None
    return ipywidgets


def _rows(data: dict[str, Any]) -> list[tuple[str, str]]:
    rows = []
    for name, value in list(data["metrics"].items())[:SHOWN]:
        if isinstance(value, list):
            text = f"{value[-1]} (last of {len(value)})" if value else "no values"
        elif isinstance(value, dict):
            text = "columns " + ", ".join(value)
        else:
            text = str(value)
        rows.append((name, text))
    return rows


def as_text(data: dict[str, Any]) -> str:
    """The state as lines for a terminal."""
    lines = [f"Run {data['run_id']} ({data['experiment']}): {data['status']}", f"Web View: {data['run_url']}"]
    lines += [f"  {name}: {value}" for name, value in _rows(data)]
    lines += [f"  child {child['name']}: {child['status']}" for child in data["child_runs"]]
    if data["error"]:
        lines.append(f"  error: {data['error']}")
    return "\n".join(lines)


def as_html(data: dict[str, Any]) -> str:
    """The state as HTML; every name and value is escaped."""
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
        for name, value in [
            ("Status", data["status"]),
            ("Started", data["start_time"] or "not yet"),
            ("Ended", data["end_time"] or "not yet"),
            *_rows(data),
            *((f"Child {child['name']}", child["status"]) for child in data["child_runs"]),
        ]
    )
    error = f"<p><b>{html.escape(data['error'])}</b></p>" if data["error"] else ""
    link = f'<a href="{html.escape(data["run_url"])}" target="_blank" rel="noopener">{html.escape(data["name"])}</a>'
    return f"<h4>{link}</h4><table>{cells}</table>{error}"


def set_diagnostics_collection(send_diagnostics: bool = True, verbose: Any = None) -> None:
    """Nothing is collected or sent, whatever is asked."""
    if send_diagnostics:
        print("Atelier collects no diagnostics; there is nothing to turn on.")
