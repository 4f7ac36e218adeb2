"""Where the parts are joined."""

from __future__ import annotations

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.urls import URLPattern, URLResolver, path


def part(route: str, module: str, namespace: str | None = None) -> URLResolver:
    """The addresses of a part below `route`. Unlike `include`, its modules are imported when an address is first looked
    for there: the server answers before it has loaded everything. One with a namespace is not loaded for another's
    `{% url %}` either."""
    return path(route, (module, namespace, namespace))  # type: ignore[arg-type] # a name is taken too, and loaded late


def health(request: HttpRequest) -> JsonResponse:
    """For supervisors and load balancers: the process answers and the database does."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


urlpatterns: list[URLPattern | URLResolver] = [
    # First: requests of running jobs are by far the most.
    part("api/v1/", "runs.api.urls", "api"),
    path("health", health, name="health"),
    path("admin/", admin.site.urls),
    part("", "studio.workspace.urls"),
    part("", "studio.environments.urls"),
    part("", "studio.compute.urls"),
    part("", "runs.pages.urls"),
]


def _failed(request: HttpRequest, status: int, code: str, message: str) -> HttpResponse:
    if request.path_info.startswith("/api/"):
        return JsonResponse({"error": {"code": code, "message": message, "field": None}}, status=status)
    return render(request, "error.html", {"error": {"status": status, "message": message}}, status=status)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A 404 in the words of the site."""
    return _failed(
        request,
        404,
        "not_found",
        "There is nothing here that you can see. The address may be mistyped, or the thing deleted.",
    )


def broken(request: HttpRequest) -> HttpResponse:
    """A 500: our fault, said so."""
    return _failed(
        request,
        500,
        "internal",
        "The server met an error of its own; its log says more. Nothing that it had confirmed before is lost.",
    )


handler404 = "studio.urls.not_found"
handler500 = "studio.urls.broken"
