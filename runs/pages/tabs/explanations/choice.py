"""What the reader has chosen on the Explanations tab, read from the address."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode

import numpy as np
from django.http import HttpRequest
from numpy.typing import NDArray

from runs.insights.explanations import cohorts, store
from runs.insights.explanations.view import View
from runs.models import Cohort, Explanation, Run
from studio.errors import NotFound

MAX_COHORTS = 3
MAX_POINTS = 5
CHARTS = {"bar": "Bars", "box": "Boxes", "swarm": "Swarm"}
SORTS = {"importance": "importance", "name": "name", "order": "the data's order"}


@dataclass(frozen=True)
class Choice:
    """One explanation with everything that is chosen for it. points: row numbers of the upload."""

    row: Explanation
    view: View
    top: int
    sort: str
    chart: str
    output_name: str
    output: int | None
    cohorts: list[tuple[Cohort, NDArray[np.bool_]]]
    points: list[int]
    x: str
    y: str
    colour: str
    plot: str
    unknown: list[str] = field(default_factory=list)

    @property
    def query(self) -> str:
        """The choice as a query string, for the addresses of its charts."""
        pairs = [
            ("e", self.row.pk), ("top", str(self.top)), ("sort", self.sort), ("chart", self.chart),
            ("class", self.output_name), ("x", self.x), ("y", self.y), ("colour", self.colour), ("plot", self.plot),
            *(("cohort", str(c.pk)) for c, _ in self.cohorts),
            *(("p", str(p)) for p in self.points),
        ]  # fmt: skip
        return urlencode([(k, v) for k, v in pairs if v])

    def masks(self) -> list[tuple[str, NDArray[np.bool_] | None]]:
        """(name, rows) of what is compared: all rows, then the chosen cohorts."""
        return [("All rows", None), *((c.name, mask) for c, mask in self.cohorts)]

    def position(self, row: int) -> int:
        """Where a row of the upload is in the view."""
        found = int(np.searchsorted(self.view.rows, row))
        if found >= len(self.view.rows) or int(self.view.rows[found]) != row:
            raise NotFound(f"Row {row} is not among the rows shown.")
        return found


def explanation_of(request: HttpRequest, rows: list[Explanation], name: str = "e") -> Explanation:
    """The explanation of the address; without one the newest of all rows, else the newest."""
    asked = request.GET.get(name)
    if not asked:
        whole = [r for r in rows if r.is_global and r.is_local] or [r for r in rows if r.is_global]
        return (whole or rows)[-1]
    found = next((r for r in rows if r.pk == asked), None)
    if found is None:
        raise NotFound(f"This run has no explanation {asked[:80]!r}.")
    return found


def read(request: HttpRequest, run: Run, row: Explanation) -> Choice:
    """The choice for one explanation; what the address leaves out has a sensible value."""
    view = store.view_of(row)
    get = request.GET.get
    columns = dict(view.columns())
    wanted = [int(c) for c in request.GET.getlist("cohort") if c.isdecimal() and len(c) < 18][:MAX_COHORTS]
    chosen, unknown = [], []
    for cohort in Cohort.objects.filter(run=run, pk__in=wanted):
        mask = cohorts.rows_of(view, cohort.filters)
        if mask is None:
            unknown.append(cohort.name)
        else:
            chosen.append((cohort, mask))
    output_name = (
        get("class") if get("class") in view.classes and view.local is not None and len(view.local) > 1 else ""
    )
    known = set(view.rows.tolist())
    points = [int(p) for p in request.GET.getlist("p") if p.isdecimal() and len(p) < 12]
    first = view.columns()[0][0] if columns else "row"
    return Choice(
        row=row,
        view=view,
        top=_number(get("top"), 10, 1, max(1, min(50, len(view.features)))),
        sort=get("sort") if get("sort") in SORTS else "importance",  # type: ignore[arg-type]
        chart=get("chart") if get("chart") in CHARTS and view.local is not None else "bar",  # type: ignore[arg-type]
        output_name=output_name or "",
        output=view.output(output_name),
        cohorts=chosen,
        points=list(dict.fromkeys(p for p in points if p in known))[:MAX_POINTS],
        x=_column(view, get("x"), columns, first),
        y=_column(
            view,
            get("y"),
            columns,
            "probability" if "probability" in columns else "prediction" if "prediction" in columns else first,
        ),
        colour=_column(view, get("colour"), columns, "truth" if "truth" in columns else ""),
        plot="histogram" if get("plot") == "histogram" else "scatter",
        unknown=unknown,
    )


def _column(view: View, key: str | None, columns: dict[str, str], default: str) -> str:
    if key == "none":
        return ""
    if key and (
        key in columns
        or (key[:1] == "i" and key[1:].isdecimal() and view.local is not None and int(key[1:]) < len(view.features))
    ):
        return key
    return default


def _number(text: str | None, default: int, low: int, high: int) -> int:
    if not text or not text.isdecimal() or len(text) > 6:
        return min(default, high)
    return max(low, min(high, int(text)))
