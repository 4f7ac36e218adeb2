"""One step of one run, by whoever is woken. The row is held for the step; a run that another worker holds is left."""

from __future__ import annotations

import datetime as dt
import logging

from django.db.models import Q
from django.utils import timezone

from runs.execution import ending, script
from runs.execution.later import later
from runs.execution.lease import keep, lease
from runs.execution.next import BEAT, Next, soon
from runs.lifecycle import move
from runs.models import Run, raw
from runs.queue import wake
from runs.states import NOT_FINAL, State
from studio.errors import StudioError, Unavailable, full_disk

log = logging.getLogger(__name__)

# A run that moves on is stepped on by the same worker; so many times, then others have their turn.
MOST_STEPS = 20
# A wake that finds the run held comes again after this: what it was about may have happened after the holder's look.
HELD_SECONDS = 0.3
# A step that fails because something is away is tried again this often, and this long before the run is given up.
AWAY_SECONDS = 3.0
PATIENCE = dt.timedelta(minutes=10)


def step(run_id: str) -> None:
    """Steps a run until there is nothing to do for it now."""
    with lease(run_id) as run:
        if run is None:
            if Run.objects.filter(pk=run_id, state__in=NOT_FINAL).exists():
                later.wake(run_id, HELD_SECONDS)
            return
        after = _steps(run)
    if after.seconds is not None:
        later.wake(run_id, after.seconds)


def _steps(run: Run) -> Next:
    after = BEAT
    for _ in range(MOST_STEPS):
        if run.is_final:
            return BEAT
        after = _one(run)
        if after.seconds != 0:
            return after
        if not keep(run):
            return BEAT
    return after


def _one(run: Run) -> Next:
    """One step, with what goes wrong in it written down: an engine that is away is waited for, a bug ends the run."""
    try:
        return _step(run)
    except Unavailable as error:
        return _away(run, error)
    except StudioError as error:
        log.warning("run %s ends: %s", run.pk, error)
        return ending.end_unstarted(run, State.FAILED, code="Refused", message=error.message)
    except Exception as error:  # the worker loop: one run's trouble must not be another's
        log.exception("step of run %s in %s", run.pk, run.state)
        said = f"The worker failed in this step ({type(error).__name__}: {error}); its log says more."
        return _away(run, full_disk(error) or Unavailable(said))


def _step(run: Run) -> Next:
    if run.kind == Run.Kind.SCRIPT:
        return script.step(run)
    if run.kind == Run.Kind.INTERACTIVE and run.cancel_requested_at:
        # Its script runs elsewhere: it is told by its next call, which its dead token refuses.
        move(run, State.CANCELED, reason="Cancelled.", token_digest="")
    return BEAT


def _away(run: Run, error: Unavailable) -> Next:
    """Waits for what is away; the reason stands on the page. A run that has waited too long ends with it."""
    since = run.events.order_by("-id").values_list("at", flat=True).first() or run.created_at
    if ending.is_silent(run):
        return ending.node_lost(run, f"Nothing is heard of the job any more. {error.message}")
    if timezone.now() - since > PATIENCE and not script.tasks(run):
        return ending.end_unstarted(run, State.FAILED, code="Unavailable", message=error.message)
    Run.objects.filter(pk=run.pk).exclude(waiting_for=error.message).update(waiting_for=error.message)
    return soon(AWAY_SECONDS)


def wake_all() -> int:
    """The beat: wakes every run that may have something to do and that nobody holds. Returns how many."""
    free = Q(leased_until=None) | Q(leased_until__lt=timezone.now()) | ~Q(leased_by="")
    waits_for_people = Q(kind=Run.Kind.INTERACTIVE, cancel_requested_at=None)
    under_way = Run.objects.extra(where=[f"runs_run.{raw.UNDER_WAY}"])
    runs = under_way.filter(free).exclude(waits_for_people).order_by("created_at")
    ids = list(runs.values_list("pk", flat=True))
    for run_id in ids:
        wake(run_id)
    return len(ids)
