"""The last value of a metric as people read it."""

from __future__ import annotations

from typing import Any

import orjson

from runs.models import MetricSeries
from runs.values import decode


def last_value(series: MetricSeries) -> Any:
    """A number, text or boolean; whole numbers are whole again. NaN when that was logged last."""
    if series.last_text:
        try:
            return decode(orjson.loads(series.last_text))
        except orjson.JSONDecodeError:
            return series.last_text
    if series.last is None:
        return None
    return int(series.last) if series.type == MetricSeries.Type.INT else series.last
