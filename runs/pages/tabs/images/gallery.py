"""The images of a run by name, each with the steps at which it was logged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest

from runs.models import MetricSeries, Run
from runs.pages.tab import Context
from runs.queries import curves
from runs.queries.files import path_in

SHOWN = 200
"""The slider of a name reaches back so many images."""
NAMES = 60


@dataclass(frozen=True)
class Picture:
    """One logged image: the address of its bytes, its step, when it was logged."""

    path: str
    query: str
    step: int
    at: datetime


def _pictures(run: Run, name: str) -> tuple[list[Picture], int]:
    _, _, total = curves.rows(run, name, most=0)
    _, rows, _ = curves.rows(run, name, first=max(0, total - SHOWN))
    found = []
    for step, seconds, value in rows:
        path = path_in(run, value)
        if path is not None:
            found.append(Picture(path, urlencode({"file": path}), step, datetime.fromtimestamp(seconds, UTC)))
    return found[::-1], total


def context(request: HttpRequest, run: Run) -> Context:
    """Every name with its newest image; ?name=&at= shows one in full, with its neighbours."""
    names = list(
        MetricSeries.objects.filter(run=run, kind="image").order_by("-last_time", "name").values_list("name", flat=True)
    )
    wanted = request.GET.get("name", "")
    albums: list[dict[str, Any]] = []
    for name in [wanted] if wanted in names else names[:NAMES]:
        pictures, total = _pictures(run, name)
        if pictures:
            albums.append(
                {
                    "name": name,
                    "pictures": pictures,
                    "total": total,
                    "newest": pictures[0],
                    "oldest_first": pictures[::-1],
                }
            )
    full = None
    if wanted in names and albums:
        pictures = albums[0]["pictures"]
        try:
            place = min(max(0, int(request.GET.get("at") or 0)), len(pictures) - 1)
        except ValueError:
            place = 0
        full = {
            "name": wanted,
            "picture": pictures[place],
            "place": place,
            "newer": place - 1 if place else None,
            "older": place + 1 if place + 1 < len(pictures) else None,
            "total": albums[0]["total"],
        }
    return {"albums": albums, "full": full, "more_names": max(0, len(names) - NAMES), "live": not run.is_final}
