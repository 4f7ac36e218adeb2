"""Mitigation as child runs: the same as the form on the Fairness tab, from Python."""

from __future__ import annotations

import contextlib
import io
import time
import uuid
from collections.abc import Sequence
from typing import Any

from atelier import artifacts
from atelier.client import Client, file_path, segment
from atelier.errors import AtelierError, ConflictError, RunFailed, UserError

ALGORITHMS = ("GridSearch", "ExponentiatedGradient", "ThresholdOptimizer", "CorrelationRemover")
CONSTRAINTS = (
    "DemographicParity",
    "EqualizedOdds",
    "TruePositiveRateParity",
    "FalsePositiveRateParity",
    "ErrorRateParity",
)


class MitigationRequest:
    """A mitigation under way: one child run per algorithm, one dashboard that gathers their models."""

    def __init__(self, client: Client, run_id: str, record: dict[str, Any]) -> None:
        self.client, self.run_id, self.record = client, run_id, record

    @property
    def id(self) -> str:
        """Its id."""
        return self.record["id"]

    @property
    def children(self) -> list[str]:
        """The ids of the child runs."""
        return [child["run_id"] for child in self.record["children"]]

    @property
    def dashboard_id(self) -> str | None:
        """The upload id of the dashboard, once a child has brought its models."""
        return self.record.get("dashboard_id")

    def refresh(self) -> dict[str, Any]:
        """The record as it is now."""
        path = f"/runs/{segment(self.run_id)}/mitigations/{segment(self.id)}"
        self.record = self.client.call("GET", path)
        return self.record

    def cancel(self) -> None:
        """Ask the child runs that still go on to end."""
        for child in self.refresh()["children"]:
            if not child["final"]:
                with contextlib.suppress(ConflictError):  # it has ended meanwhile
                    self.client.call("POST", f"/runs/{segment(child['run_id'])}/cancel")

    def wait(self, timeout: float = 3600.0, poll: float = 2.0) -> str:
        """Wait until every child run has ended; the dashboard's upload id. RunFailed when none brought a model."""
        deadline = time.monotonic() + timeout
        while not all(child["final"] for child in self.refresh()["children"]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"The mitigation {self.id} has not ended within {timeout:g} s; its runs go on.")
            time.sleep(poll)
        if not self.dashboard_id:
            failed = "; ".join(f"{c['run_id']}: {c['error'] or c['status']}" for c in self.record["children"])
            raise RunFailed(f"No mitigation brought a model. {failed}")
        return self.dashboard_id


def mitigate(
    run: Any,
    X: Any,
    y: Any,
    sensitive_features: Any,
    *,
    algorithms: Sequence[str] | str = ("GridSearch",),
    constraint: str = "DemographicParity",
    grid_size: int = 10,
    estimator: str = "LogisticRegression",
    model: str | None = None,
    test_size: float = 0.3,
    seed: int = 0,
    compute: str | None = None,
    environment: Any = None,
    name: str | None = None,
) -> MitigationRequest:
    """Train models of `estimator` under a fairness constraint in child runs of `run`, on its compute.

    X: rows of features (DataFrame or array), y: labels 0/1, sensitive_features: {name: groups}, a DataFrame or one
    column. model: the original to compare with, a path in the run's outputs or a registered "name:version"; without
    it a plain `estimator` stands for it. constraint: DemographicParity, EqualizedOdds, TruePositiveRateParity,
    FalsePositiveRateParity or ErrorRateParity. environment: an Environment or the name of a registered one, the run's
    own by default. Returns at once; `.wait()` waits for the dashboard.
    """
    client, run_id = of_run(run)
    algorithms = [algorithms] if isinstance(algorithms, str) else list(algorithms)
    _known(algorithms, constraint)
    columns, groups, data = _table(X, y, sensitive_features)
    path = f"mitigation/{uuid.uuid4()}/data.csv"
    spec = {
        "data": path,
        "label": LABEL,
        "features": columns,
        "sensitive": [f"{SENSITIVE}{name}" for name in groups],
        "algorithms": algorithms,
        "constraint": constraint,
        "grid_size": grid_size,
        "estimator": estimator,
        "model": model or "",
        "test_size": test_size,
        "seed": seed,
        "compute": compute or "",
        "environment": environment.to_definition() if hasattr(environment, "to_definition") else environment or "",
        "name": name or "",
    }
    artifacts.upload(client, run_id, path, data)
    try:
        record = client.call("POST", f"/runs/{segment(run_id)}/mitigations", json_body=spec)
    except AtelierError:
        # Rows that no mitigation will use are not left with the run.
        client.call("DELETE", f"/runs/{segment(run_id)}/artifacts/{file_path(path)}")
        raise
    return MitigationRequest(client, run_id, record)


def _known(algorithms: list[str], constraint: str) -> None:
    """Refuse what no server knows before the rows are sent."""
    unknown = sorted(set(algorithms) - set(ALGORITHMS))
    if unknown or not algorithms:
        raise UserError(f"algorithms must be of {', '.join(ALGORITHMS)}; got {unknown or 'none'}.")
    if constraint not in CONSTRAINTS:
        raise UserError(f"constraint must be one of {', '.join(CONSTRAINTS)}; got {constraint!r}.")


def _table(X: Any, y: Any, sensitive_features: Any) -> tuple[list[str], dict[str, Any], bytes]:
    """(feature names, groups by name, the CSV file that the child runs read)."""
    import numpy as np

    from atelier.explanations.files import as_numbers

    rows = as_numbers(X)
    if rows is None or rows.ndim != 2:
        raise UserError("X must be a table of numbers (rows x features).")
    columns = [str(c) for c in getattr(X, "columns", range(rows.shape[1]))]
    groups, labels = _groups(sensitive_features), np.ravel(y)
    if not groups:
        raise UserError("sensitive_features must name at least one feature.")
    if any(len(v) != len(rows) for v in groups.values()) or len(labels) != len(rows):
        raise UserError("X, y and sensitive_features must have the same number of rows.")
    found = sorted({str(v) for v in labels if not (v == 0 or v == 1)})
    if found:
        raise UserError(f"y must hold 0 and 1 only, for mitigation is for two classes; it has {', '.join(found[:5])}.")
    data = io.StringIO()
    _write_csv(data, columns, rows, labels, groups)
    return columns, groups, data.getvalue().encode()


LABEL = "label__"
#: Prefix of the columns with the groups, so that a group may bear the name of a feature.
SENSITIVE = "sensitive__"


def _groups(value: Any) -> dict[str, Any]:
    import numpy as np

    if hasattr(value, "columns"):
        return {str(c): value[c].to_numpy() for c in value.columns}
    if isinstance(value, dict):
        return {str(k): np.ravel(v) for k, v in value.items()}
    return {str(getattr(value, "name", None) or "group"): np.ravel(value)}


def _write_csv(out: io.StringIO, columns: list[str], rows: Any, y: Any, groups: dict[str, Any]) -> None:
    import csv

    writer = csv.writer(out)
    writer.writerow([*columns, LABEL, *(f"{SENSITIVE}{name}" for name in groups)])
    for i, row in enumerate(rows.tolist()):
        writer.writerow([*(repr(v) for v in row), int(y[i]), *(str(v[i]) for v in groups.values())])


def of_run(run: Any) -> tuple[Client, str]:
    """(client, id) of a run object of `atelier` or `azureml.core`."""
    inner = getattr(run, "_run", run)
    client = getattr(inner, "_client", None) or getattr(inner, "client", None)
    if client is None or not getattr(inner, "id", None):
        raise UserError(f"{run!r} is no run on a server; explanations and dashboards are kept with one.")
    return client, inner.id
