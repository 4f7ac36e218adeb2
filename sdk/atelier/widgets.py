"""A run, live: as a widget in a notebook, as text elsewhere."""

from __future__ import annotations

import html
import math
import threading
import time
from typing import Any

from atelier.errors import AtelierError, ServiceError
from atelier.progress import in_notebook
from atelier.run.record import FINAL
from atelier.run.run import Run

POLL = 2.0
SHOWN = 30
#: A line of a metric's values: so many points, on so many pixels.
POINTS, LINE_WIDTH, LINE_HEIGHT = 120, 160, 24


class RunDetails:
    """Status, metrics and the address of a run. `show` does not wait for the run."""

    def __init__(self, run_instance: Run) -> None:
        self.run = run_instance
        self._widget: Any = None
        self._note: Any = None

    def show(self, render_lib: Any = None, widget_settings: Any = None) -> None:
        """In a notebook a widget that follows the run until it is final; elsewhere the state as text."""
        widgets = _notebook_widgets()
        if widgets is None:
            print(as_text(self.get_widget_data()))
            if in_notebook():
                print("Install ipywidgets in this notebook's kernel to follow the run here: pip install ipywidgets")
            return
        import IPython.display

        # Two parts: what is said of the connection must not replace what is known of the run.
        self._widget = widgets.HTML(as_html(self.get_widget_data()))
        self._note = widgets.HTML("")
        show: Any = IPython.display.display  # IPython has no types for it
        show(widgets.VBox([self._widget, self._note]))
        threading.Thread(target=self._follow, name=f"atelier-widget-{self.run.id[:12]}", daemon=True).start()

    def get_widget_data(self, widget_settings: Any = None) -> dict[str, Any]:
        """What is shown: run id, name, status, times, address, metrics, error and the child runs."""
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
        while True:
            try:
                data = self.get_widget_data()
            except ServiceError as error:  # the server restarts, say: what was known stays, and it is asked again
                self._note.value = _paragraph(f"{error.message} Trying again.")
            except AtelierError as error:
                self._note.value = _paragraph(error.message)
                return
            else:
                self._note.value = ""
                self._widget.value = as_html(data)
                if data["status"] in FINAL:
                    return
            time.sleep(POLL)


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def _notebook_widgets() -> Any:
    """ipywidgets, where this is a notebook's kernel and it is installed; else None."""
    if not in_notebook():
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
    """The state as HTML; every name and value is escaped. A series of numbers has its line beside it."""
    cells = "".join(
        f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td><td>{sparkline(series)}</td></tr>"
        for name, value, series in [
            ("Status", data["status"], None),
            ("Started", data["start_time"] or "not yet", None),
            ("Ended", data["end_time"] or "not yet", None),
            *((name, value, data["metrics"][name]) for name, value in _rows(data)),
            *((f"Child {child['name']}", child["status"], None) for child in data["child_runs"]),
        ]
    )
    error = f"<p><b>{html.escape(data['error'])}</b></p>" if data["error"] else ""
    link = f'<a href="{html.escape(data["run_url"])}" target="_blank" rel="noopener">{html.escape(data["name"])}</a>'
    return f"<h4>{link}</h4><table>{cells}</table>{error}"


def sparkline(values: Any) -> str:
    """A small SVG line of a series' numbers; nothing for anything else, or fewer than two of them."""
    if not isinstance(values, list):
        return ""
    thinned = values[:: math.ceil(len(values) / POINTS)] if values else []
    numbers = [float(one) for one in thinned if isinstance(one, (int, float)) and math.isfinite(one)]
    if len(numbers) < 2:
        return ""
    low, high = min(numbers), max(numbers)
    across, up = LINE_WIDTH / (len(numbers) - 1), (LINE_HEIGHT - 4) / ((high - low) or 1.0)
    points = " ".join(f"{i * across:.1f},{LINE_HEIGHT - 2 - (one - low) * up:.1f}" for i, one in enumerate(numbers))
    return (
        f'<svg width="{LINE_WIDTH}" height="{LINE_HEIGHT}" role="img" aria-label="from {numbers[0]:g} to {numbers[-1]:g}">'
        f'<polyline fill="none" stroke="currentColor" stroke-width="1.5" points="{points}"/></svg>'
    )


def set_diagnostics_collection(send_diagnostics: bool = True, verbose: Any = None) -> None:
    """Nothing is collected or sent, whatever is asked."""
    if send_diagnostics:
        print("Atelier collects no diagnostics; there is nothing to turn on.")
