"""What the Fairness tab's forms do: upload a dictionary, mitigate, register a mitigated model, delete a dashboard."""

from __future__ import annotations

from urllib.parse import quote

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from runs.insights.fairness import mitigation, store
from runs.models import Run
from studio.errors import StudioError
from studio.workspace.access import signed_in


def address(run: Run, query: str = "") -> str:
    """The tab."""
    return f"/w/{run.workspace.name}/runs/{quote(run.id, safe='')}/fairness/" + (f"?{query}" if query else "")


def _back(request: HttpRequest, run: Run, query: str = "") -> HttpResponse:
    return HttpResponseRedirect(address(run, query))


def upload(request: HttpRequest, run: Run) -> HttpResponse:
    """A dictionary as a JSON file."""
    given = request.FILES.get("file")
    if given is None:
        messages.error(request, "Choose the JSON file of the dashboard first.")
        return _back(request, run)
    try:
        if given.size and given.size > store.MAX_BYTES:
            raise store.too_large(given.size)
        dashboard = store.read_json(given.read())
        made = store.save(
            run,
            dashboard,
            request.POST.get("name") or (given.name or "Fairness").rsplit(".", 1)[0],
            dataset_name=request.POST.get("dataset_name"),
            validate_model_ids="validate" in request.POST,
        )
    except StudioError as error:
        messages.error(request, error.message)
        return _back(request, run)
    messages.success(request, f"Uploaded “{made.name}”.")
    return _back(request, run, f"d={made.pk}")


def mitigate(request: HttpRequest, run: Run) -> HttpResponse:
    """Start child runs with what the form says."""
    post = request.POST
    body: dict[str, object] = {
        k: post.get(k, "")
        for k in (
            "data",
            "label",
            "model",
            "constraint",
            "grid_size",
            "estimator",
            "compute",
            "environment",
            "test_size",
            "name",
        )
    }
    body |= {
        "algorithms": post.getlist("algorithms"),
        "sensitive": [s.strip() for s in post.get("sensitive", "").split(",") if s.strip()],
        "features": [s.strip() for s in post.get("features", "").split(",") if s.strip()],
    }
    try:
        made = mitigation.begin(run, signed_in(request).get_username(), body)
    except StudioError as error:
        messages.error(request, error.message)
        return _back(request, run)
    count = len(made.spec["algorithms"])
    messages.success(
        request, f"{count} child run{'s train' if count > 1 else ' trains'} under {made.spec['constraint']}."
    )
    return _back(request, run)


def cancel(request: HttpRequest, run: Run) -> HttpResponse:
    """Ask the child runs of a mitigation that still go on to end."""
    try:
        asked = mitigation.cancel(
            mitigation.find(run.id, request.POST.get("mitigation", "")), signed_in(request).get_username()
        )
    except StudioError as error:
        messages.error(request, error.message)
        return _back(request, run)
    messages.success(request, f"{asked} child run{'s are' if asked != 1 else ' is'} asked to end.")
    return _back(request, run)


def delete(request: HttpRequest, run: Run) -> HttpResponse:
    """Remove a dashboard."""
    try:
        store.remove(run.id, request.POST.get("d", ""))
    except StudioError as error:
        messages.error(request, error.message)
        return _back(request, run)
    messages.success(request, "The dashboard is deleted.")
    return _back(request, run)


def register(request: HttpRequest, run: Run) -> HttpResponse:
    """Register a mitigated model of a dashboard, from the child run that trained it."""
    try:
        found = store.find(run.id, request.POST.get("d", ""))
        made = mitigation.register(found, request.POST.get("model", ""), signed_in(request).get_username())
    except StudioError as error:
        messages.error(request, error.message)
        return _back(request, run, f"d={quote(request.POST.get('d', ''))}")
    messages.success(request, f"Registered as {made}.")
    return _back(request, run, f"d={found.pk}")
