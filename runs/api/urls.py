"""The addresses under /api/v1/: one module for each sort of thing registers its routes."""

from __future__ import annotations

from django.urls import path

from runs.api import (  # noqa: F401 - importing registers their routes
    artifacts,
    computes,
    datastore,
    environments,
    insights,
    jobs,
    metrics,
    models,
    runs,
    snapshots,
    workspaces,
)
from runs.api.openapi import docs, openapi
from runs.api.routing import urlpatterns as registered

urlpatterns = [
    *registered(),
    path("openapi.json", openapi, name="api-openapi"),
    path("docs", docs, name="api-docs"),
]
