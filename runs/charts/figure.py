"""What every figure shares: its shape, its JSON, and plotly's own check of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

Figure = dict[str, Any]
"""{"data": [trace, …], "layout": {…}}, with numpy arrays allowed where numbers are."""


def figure(traces: Sequence[dict[str, Any]], **layout: Any) -> Figure:
    """A figure; ``None`` values of the layout are left out."""
    return {"data": list(traces), "layout": {key: value for key, value in layout.items() if value is not None}}


def axis(title: str = "", **more: Any) -> dict[str, Any]:
    """An axis with a title; ``None`` values are left out."""
    described = {"title": {"text": plain(title)}} if title else {}
    return described | {key: value for key, value in more.items() if value is not None}


def plain(text: str) -> str:
    """A name as plotly shows it letter by letter: it reads <b>, <a href> and entities in texts otherwise."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def dumps(figure: Figure) -> bytes:
    """The figure's JSON. NaN and the infinities become null, which plotly.js shows as a gap."""
    return orjson.dumps(figure, default=_listed, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)


def _listed(value: Any) -> Any:
    """What orjson leaves to us: arrays of text, transposed and strided ones."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"A figure cannot hold a {type(value).__name__}.")


def checked(figure: Figure) -> dict[str, Any]:
    """The figure as plotly itself writes it; ValueError with plotly's explanation when it would not draw."""
    import plotly.graph_objects as go  # a hundred modules: only when asked

    plain = orjson.loads(dumps(figure))
    return go.Figure(data=plain["data"], layout=plain["layout"]).to_plotly_json()
