"""The Explanations tab of a run to which nothing has been uploaded yet: how to get data there."""

from __future__ import annotations

from django.http import HttpRequest

from runs.models import Run
from runs.pages.tab import Context, Tab


def context(request: HttpRequest, run: Run) -> Context:
    """Nothing but the run itself."""
    return {}


tab = Tab(title="Explanations", template="runs/tabs/explanations.html", context=context)
