"""What the Explanations tab's forms do: keep and remove cohorts, remove an explanation."""

from __future__ import annotations

from urllib.parse import quote

from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from runs.insights.explanations import cohorts, store
from runs.limits import clean_name
from runs.models import Cohort, Run
from studio.errors import Conflict, Invalid, StudioError
from studio.workspace.access import signed_in

MAX_COHORTS_OF_A_RUN = 50


def address(run: Run) -> str:
    """The tab."""
    return f"/w/{run.workspace.name}/runs/{quote(run.id, safe='')}/explanations/"


def _back(request: HttpRequest, run: Run, **changes: str) -> HttpResponse:
    query = request.GET.copy()
    for key, value in changes.items():
        query.setlist(key, [*query.getlist(key), value])
    return HttpResponseRedirect(f"{address(run)}?{query.urlencode()}")


def save_cohort(request: HttpRequest, run: Run) -> HttpResponse:
    """Keep a cohort with the run. Each filter is a column, a comparison and a value; empty ones are left out."""
    post = request.POST
    trios = zip(post.getlist("on"), post.getlist("op"), post.getlist("value"), strict=False)
    filters = [{"on": on, "op": op, "value": value} for on, op, value in trios if on and value.strip()]
    try:
        name = clean_name(post.get("name", ""), "name", "tag_key")
        if not filters:
            raise Invalid("Give the cohort at least one filter with a value.", field="filters")
        kept = cohorts.check(filters)
        if Cohort.objects.filter(run=run).count() >= MAX_COHORTS_OF_A_RUN:
            raise Conflict(f"A run has at most {MAX_COHORTS_OF_A_RUN} cohorts; delete one first.")
        try:
            with transaction.atomic():
                made = Cohort.objects.create(run=run, name=name, filters=kept, created_by=signed_in(request))
        except IntegrityError:
            raise Conflict(f"The run has a cohort {name!r}; choose another name.") from None
    except StudioError as error:
        messages.error(request, error.message)
        return _back(request, run)
    return _back(request, run, cohort=str(made.pk))


def delete_cohort(request: HttpRequest, run: Run) -> HttpResponse:
    """Remove a cohort of the run."""
    identity = request.POST.get("id", "")
    if identity.isdecimal() and len(identity) < 18:
        Cohort.objects.filter(run=run, pk=int(identity)).delete()
    return _back(request, run)


def delete(request: HttpRequest, run: Run) -> HttpResponse:
    """Remove an explanation and its files."""
    try:
        store.remove(run, request.POST.get("e", ""))
        messages.success(request, "The explanation is deleted.")
    except StudioError as error:
        messages.error(request, error.message)
    return HttpResponseRedirect(address(run))
