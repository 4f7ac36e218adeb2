"""What a tab is: a folder with a context function and a template. docs/adding-a-tab.md walks through one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase

from runs.models import Run

Context = dict[str, Any]


@dataclass(frozen=True)
class Part:
    """A piece of a tab that asks for itself while the run is live: /w/…/<tab>/?part=<name>&seen=<version>.

    ``version`` is a cheap text that changes when the piece would; as long as the browser has seen it the answer is 204
    and nothing is rendered or swapped.
    """

    template: str
    context: Callable[[HttpRequest, Run], Context]
    version: Callable[[HttpRequest, Run], str]


@dataclass(frozen=True)
class Tab:
    """One tab of the run page. ``template`` is drawn inside the page, and alone for htmx.

    ``data`` are its other answers (figure JSON, CSV, a file), by name: /w/…/<tab>/<name>. ``posts`` are what its forms
    do, at the same addresses; they need a contributor.
    """

    title: str
    template: str
    context: Callable[[HttpRequest, Run], Context]
    parts: Mapping[str, Part] = field(default_factory=dict)
    data: Mapping[str, Callable[[HttpRequest, Run], HttpResponseBase]] = field(default_factory=dict)
    posts: Mapping[str, Callable[[HttpRequest, Run], HttpResponseBase]] = field(default_factory=dict)
    scripts: tuple[str, ...] = ()
