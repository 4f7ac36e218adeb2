"""What-if and ICE on the Explanations tab: questions to the run's scoring job, and its answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils import timezone

from runs.insights import jobs
from runs.insights.explanations import scoring, store
from runs.insights.explanations.importance import aggregate, ranking
from runs.models import Run, ScoringRequest
from runs.pages.tabs.explanations.choice import Choice, explanation_of, read
from runs.pages.tabs.explanations.panel import Cell, cell
from studio.errors import Invalid, NotFound, StudioError
from studio.workspace.access import signed_in

#: Features that the form shows at once; the rest are reached by name.
FIELDS = 40


def context(choice: Choice, run: Run, request: HttpRequest) -> dict[str, Any]:
    """The form of the first picked row, the state of the session, and the last answer."""
    session = scoring.current(run.id)
    ended = scoring.last(run.id) if session is None else None
    found: dict[str, Any] = {
        "session": session,
        "ended": ended if ended is not None and ended.child.is_final and ended.child.error else None,
        "models": jobs.models_of(run),
        "environments": jobs.environments_of(run),
        "computes": jobs.computes_of(run),
        "possible": len(choice.view.data) == len(choice.view.features) > 0,
    }
    if not choice.points or not found["possible"] or session is None:
        return found
    row = row_of(choice, request)
    position = choice.position(row)
    base = scoring.row_of(choice.view, position)
    order = ranking(aggregate(choice.view, None, choice.output))[:FIELDS].tolist()
    found |= {
        "row": row,
        "fields": [_field(choice, i, base[i], request) for i in order],
        "features": [(i, choice.view.features[i]) for i in order],
        "feature": feature_of(choice, request),
    }
    question = request.GET.get("q")
    if question:
        found |= _answer(choice, session, question)
    ice = asked(choice, request)
    if ice is not None:
        found |= {"ice": ice, "waiting": ice.answered_at is None or found.get("waiting", False)}
        found["curves"] = curves(choice, ice, found["feature"])
    return found


@dataclass(frozen=True)
class Curves:
    """ICE curves as the job answered them: the feature's values, and for each picked row an answer to each value."""

    feature: int
    name: str
    values: list[Any]
    lines: list[tuple[int, list[Any]]]

    @property
    def table(self) -> list[list[Cell]]:
        """A line for each value: the value, then the answer of each row."""
        answers = zip(*(given for _, given in self.lines), strict=True)
        return [list(map(cell, (value, *given))) for value, given in zip(self.values, answers, strict=True)]


def curves(choice: Choice, asked: ScoringRequest, feature: int) -> Curves | None:
    """The answer to an ICE question of that feature; None while there is none, and when it was about other rows."""
    if asked.answer is None or not choice.points:
        return None
    values, rows = scoring.grid(choice.view, [choice.position(row) for row in choice.points], feature)
    if rows != asked.rows:
        return None
    name, given = answers(choice, asked.answer)
    n = len(values)
    return Curves(feature, name, values, [(row, given[i * n : i * n + n]) for i, row in enumerate(choice.points)])


def _field(choice: Choice, i: int, now: Any, request: HttpRequest) -> dict[str, Any]:
    given = request.GET.get(f"v{i}")
    return {
        "index": i,
        "name": choice.view.features[i],
        "value": given if given not in (None, "") else _shown(now),
        "changed": given not in (None, "") and given != _shown(now),
        "numeric": not isinstance(now, str),
    }


def _shown(value: Any) -> str:
    """A value as its field has it; a missing one is an empty field."""
    return "" if value is None else value if isinstance(value, str) else f"{value:.10g}"


def row_of(choice: Choice, request: HttpRequest) -> int:
    """The picked row that is asked about: the one of the address, else the first."""
    text = request.GET.get("row") or request.POST.get("row") or ""
    if text.isdecimal() and len(text) < 12 and int(text) in choice.points:
        return int(text)
    if not choice.points:
        raise NotFound("Pick a row first.")
    return choice.points[0]


def feature_of(choice: Choice, request: HttpRequest) -> int:
    """The feature whose values an ICE curve goes through: the one of the address, else the most important."""
    text = request.GET.get("ice") or request.POST.get("ice") or ""
    if text.isdecimal() and len(text) < 9 and int(text) < len(choice.view.features):
        return int(text)
    return int(ranking(aggregate(choice.view, None, choice.output))[0])


def asked(choice: Choice, request: HttpRequest) -> ScoringRequest | None:
    """The ICE question of the address, if it was asked."""
    identity = request.GET.get("iq")
    if not identity:
        return None
    return ScoringRequest.objects.filter(pk=identity[:40], session__run_id=choice.row.run_id).first()


def named(choice: Choice, label: Any) -> Any:
    """A class as the explanation names it, where the model knows it by its position; any other label as it is."""
    classes = choice.view.classes if choice.view.is_classification else []
    said = f"{label:g}" if isinstance(label, (int, float)) else str(label)
    known = said not in classes and said.isdecimal() and len(said) < 6 and int(said) < len(classes)
    return classes[int(said)] if known else label


def answers(choice: Choice, answer: dict[str, Any]) -> tuple[str, list[Any]]:
    """(what it is, a number for each row): the last class's probability, else the prediction."""
    if answer.get("probabilities"):
        classes = answer.get("classes")
        name = f"Probability of {named(choice, classes[-1])}" if classes else "Probability of the last class"
        return name, [p[-1] for p in answer["probabilities"]]
    return "Prediction", answer["predictions"]


def _answer(choice: Choice, session: Any, identity: str) -> dict[str, Any]:
    """What the job said to a what-if question: before and after."""
    found = session.requests.filter(pk=identity[:40]).first()
    if found is None:
        return {}
    if found.answered_at is None:
        late = (timezone.now() - found.created_at).total_seconds() > scoring.ANSWER_SECONDS
        running = session.child.state == "Running"
        return {"waiting": True, "late": late and running, "asked": True}
    if found.error:
        return {"asked": True, "error": found.error}
    name, values = answers(choice, found.answer)
    return {
        "asked": True,
        "result": {
            "name": name,
            "before": cell(values[0]),
            "after": cell(values[1]),
            "labels": [named(choice, value) for value in found.answer["predictions"]],
            "change": cell(values[1] - values[0]) if not isinstance(values[0], str) else None,
        },
    }


def start(request: HttpRequest, run: Run) -> HttpResponse:
    """Start a scoring session."""
    try:
        wanted = (request.POST.get(name, "") for name in ("model", "environment", "compute"))
        scoring.begin(run, signed_in(request).get_username(), *wanted)
        messages.success(request, "A job loads the model; answers appear when it runs.")
    except StudioError as error:
        messages.error(request, error.message)
    return _back(request, run)


def ask(request: HttpRequest, run: Run) -> HttpResponse:
    """A changed row: score it and the row as it is."""
    try:
        session, choice = _session(request, run)
        row = row_of(choice, request)
        base = scoring.row_of(choice.view, choice.position(row))
        changed = list(base)
        for i, now in enumerate(base):
            text = request.POST.get(f"v{i}")
            if text is None or text == "" or text == _shown(now):
                continue
            changed[i] = text if isinstance(now, str) else _number(text, choice.view.features[i])
        question = scoring.ask(session, [base, changed])
    except StudioError as error:
        messages.error(request, error.message)
        return _back(request, run)
    kept = {
        f"v{i}": request.POST[f"v{i}"] for i in range(len(base)) if request.POST.get(f"v{i}") and changed[i] != base[i]
    }
    return _back(request, run, {**kept, "q": question.pk, "row": str(row)})


def curve(request: HttpRequest, run: Run) -> HttpResponse:
    """ICE curves: score each picked row with each value of a feature."""
    try:
        session, choice = _session(request, run)
        row, feature = row_of(choice, request), feature_of(choice, request)
        positions = [choice.position(picked) for picked in choice.points]
        values, rows = scoring.grid(choice.view, positions, feature)
        if len(values) < 2:
            raise Invalid(f"All rows have the same value of {choice.view.features[feature]}; choose another feature.")
        question = scoring.ask(session, rows)
    except StudioError as error:
        messages.error(request, error.message)
        return _back(request, run)
    return _back(request, run, {"iq": question.pk, "ice": str(feature), "row": str(row)})


def _number(text: str, feature: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise Invalid(f"{feature} needs a number; {text[:40]!r} is none.") from None
    if value != value or abs(value) == float("inf"):
        raise Invalid(f"{feature} needs a finite number.")
    return value


def _session(request: HttpRequest, run: Run) -> tuple[Any, Choice]:
    session = scoring.current(run.id)
    if session is None:
        raise NotFound("No job holds the model now; start one first.")
    # Forms carry the reader's choice in their address, as the page does.
    rows = store.of_run(run.id)
    if not rows:
        raise NotFound("The run has no explanation whose rows could be changed.")
    return session, read(request, run, explanation_of(request, rows))


def _back(request: HttpRequest, run: Run, more: dict[str, str] | None = None) -> HttpResponse:
    """To the tab, with the choices of the address and what is new."""
    query = request.GET.copy()
    for key in [k for k in query if k in ("q", "iq") or (k[:1] == "v" and k[1:].isdecimal())]:
        if more is None or key in more or key[0] == "v":
            query.pop(key)
    for key, value in (more or {}).items():
        query[key] = value
    from runs.pages.tabs.explanations.forms import address

    return HttpResponseRedirect(f"{address(run)}?{query.urlencode()}#what-if")
