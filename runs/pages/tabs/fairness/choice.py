"""What the reader has chosen on the Fairness tab, read from the address; anything odd becomes the default or a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpRequest

from runs.insights.fairness import disparity as disparities
from runs.insights.fairness import measures, store
from runs.insights.fairness.assessment import Dashboard
from runs.insights.fairness.disparity import METHODS, Disparity
from runs.insights.fairness.measures import BINARY, PROBABILITY, REGRESSION, Measure
from runs.models import FairnessDashboard, Run
from studio.errors import Invalid, NotFound

DEFAULT_MEASURE = {BINARY: "accuracy_score", PROBABILITY: "balanced_accuracy_score", REGRESSION: "mean_absolute_error"}
DEFAULT_DISPARITY = {
    BINARY: "demographic_parity_difference",
    PROBABILITY: "average_difference",
    REGRESSION: "average_difference",
}


@dataclass(frozen=True)
class Choice:
    """One dashboard with everything that is chosen for it."""

    row: FairnessDashboard
    board: Dashboard
    features: tuple[int, ...]
    measure: Measure
    disparity: Disparity
    method: str
    model: int
    threshold: float | None
    prediction_type: str

    @property
    def query(self) -> str:
        """The choice as a query string, for the addresses of its charts."""
        names = self.board.feature_names
        pairs: list[tuple[str, str]] = [
            ("d", self.row.pk),
            ("feature", names[self.features[0]]),
            *(("cross", names[f]) for f in self.features[1:]),
            ("measure", self.measure.key),
            ("disparity", self.disparity.key),
            ("method", self.method),
            ("model", self.board.model_names[self.model]),
        ]
        if self.threshold is not None:
            pairs.append(("threshold", repr(self.threshold)))
        return urlencode(pairs)

    @property
    def feature_name(self) -> str:
        """The first of the chosen features."""
        return self.board.feature_names[self.features[0]]

    @property
    def model_name(self) -> str:
        """The chosen model."""
        return self.board.model_names[self.model]


def dashboard_of(request: HttpRequest, run: Run, rows: list[FairnessDashboard], name: str = "d") -> FairnessDashboard:
    """The dashboard of the address, the newest without one."""
    asked = request.GET.get(name)
    if not asked:
        return rows[-1]
    found = next((row for row in rows if row.pk == asked), None)
    if found is None:
        raise NotFound(f"This run has no fairness dashboard {asked[:80]!r}.")
    return found


def read(request: HttpRequest, row: FairnessDashboard, lenient: bool = False) -> Choice:
    """The choice for one dashboard. `lenient` (a second dashboard beside the first) falls back where a name is absent."""
    board = store.opened(row)
    threshold = _threshold(request.GET.get("threshold"), board)
    kind = BINARY if threshold is not None else board.prediction_type
    wanted = [request.GET.get("feature") or board.feature_names[0], *request.GET.getlist("cross")[:2]]
    features = []
    for name in wanted:
        if name and (not lenient or name in board.feature_names):
            features.append(board.feature(name))
    unique = tuple(dict.fromkeys(features)) or (0,)
    model_name = request.GET.get("model")
    model = board.model(model_name) if model_name and (not lenient or model_name in board.model_names) else 0
    return Choice(
        row=row,
        board=board,
        features=unique,
        measure=_measure(request.GET.get("measure"), kind),
        disparity=_disparity(request.GET.get("disparity"), kind),
        method=request.GET.get("method") if request.GET.get("method") in METHODS else METHODS[0],  # type: ignore[arg-type]
        model=model,
        threshold=threshold,
        prediction_type=kind,
    )


def _measure(key: str | None, kind: str) -> Measure:
    try:
        return measures.measure(kind, key or DEFAULT_MEASURE[kind])
    except KeyError:
        return measures.measure(kind, DEFAULT_MEASURE[kind])


def _disparity(key: str | None, kind: str) -> Disparity:
    try:
        return disparities.disparity(kind, key or DEFAULT_DISPARITY[kind])
    except KeyError:
        return disparities.disparity(kind, DEFAULT_DISPARITY[kind])


def _threshold(text: str | None, board: Dashboard) -> float | None:
    if not text or board.prediction_type != PROBABILITY:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise Invalid("The threshold is a number from 0 to 1.", field="threshold")
    return value
