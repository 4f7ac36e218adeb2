"""Runs as a pandas data frame: a row a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from atelier.errors import ConfigurationError

if TYPE_CHECKING:
    import pandas

FACTS = ("id", "display_name", "status", "type", "number", "parent_id", "compute", "submitted_by")
TIMES = ("created_at", "started_at", "ended_at")


def frame(records: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    """Columns: the facts of a run, its times (UTC), seconds from start to end, "metrics.<name>" where metrics were
    asked for, and "tags.<key>". Needs pandas, which the SDK does not install."""
    try:
        import pandas
    except ImportError as error:
        raise ConfigurationError("to_pandas needs pandas: pip install pandas.", error) from error
    rows = list(records)
    columns: dict[str, Any] = {name: [row.get(name) for row in rows] for name in FACTS}
    for name in TIMES:
        columns[name] = pandas.to_datetime([row.get(name) for row in rows], utc=True, format="ISO8601")
    columns["seconds"] = (columns["ended_at"] - columns["started_at"]).total_seconds()
    for group in ("metrics", "tags"):
        for key in sorted({key for row in rows for key in row.get(group) or ()}):
            columns[f"{group}.{key}"] = [(row.get(group) or {}).get(key) for row in rows]
    return pandas.DataFrame(columns)
