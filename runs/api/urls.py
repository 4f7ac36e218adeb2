"""The addresses under /api/v1/. Modules are imported in the order in which their paths are tried: hot ones first."""

from __future__ import annotations

from runs.api import computes, environments, insights, jobs, metrics, runs  # noqa: F401 - importing registers their routes
from runs.api.routing import urlpatterns as registered

urlpatterns = registered()
