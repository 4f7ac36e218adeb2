"""The same work in the words of each server. A peer is an adapter: requests out, as little else as possible."""

from __future__ import annotations

import itertools
import json
import time
import uuid
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from benchmarks.servers import Atelier, Mlflow
from benchmarks.wire import Connection

KEYS, STEPS = 10, 100  # a batch of 1,000 points


class Peer(Protocol):
    """What the rows ask of a server."""

    def connect(self) -> Connection:
        """A connection that is signed in."""

    def create_run(self, c: Connection) -> str:
        """A run that is running; its id."""

    def end_run(self, c: Connection, run: str) -> None:
        """It has completed."""

    def log_metric(self, c: Connection, run: str, step: int) -> None:
        """One value of one metric."""

    def log_batch(self, c: Connection, run: str, first: int) -> None:
        """A thousand points: ten metrics, a hundred steps each."""

    def log_points(self, c: Connection, run: str, name: str, first: int, values: list[float]) -> None:
        """Points of one metric."""

    def page(self, c: Connection, *, filtered: bool = False, cursor: str = "") -> tuple[int, str]:
        """A hundred of the seeded runs, best accuracy first: how many came, and where the next page starts."""

    def history(self, c: Connection, run: str, name: str) -> int:
        """Every point of a metric, parsed: how many there are."""

    def chart(self, c: Connection, runs: list[str], name: str) -> int:
        """Points for a chart of the metric over these runs: how many came."""

    def put_artifact(self, c: Connection, run: str, path: str, data: bytes) -> None:
        """Upload a file."""

    def get_artifact(self, c: Connection, run: str, path: str) -> int:
        """Download it: its size."""


class AtelierPeer:
    """The REST API under /api/v1/."""

    def __init__(self, server: Atelier) -> None:
        self.server = server
        self.base = f"/api/v1/workspaces/{server.workspace}"

    def connect(self) -> Connection:
        """A connection with a personal token."""
        return Connection(self.server.port, {"Authorization": f"Bearer {self.server.token}"})

    def create_run(self, c: Connection) -> str:
        """POST …/runs."""
        return str(c.json("POST", f"{self.base}/runs", {"experiment": "load", "kind": "interactive"})["id"])

    def end_run(self, c: Connection, run: str) -> None:
        """POST …/end."""
        c.json("POST", f"/api/v1/runs/{run}/end", {"status": "Completed"})

    def _metrics(self, c: Connection, run: str, series: list[dict[str, Any]]) -> None:
        c.json("POST", f"/api/v1/runs/{run}/metrics", {"batch": str(uuid.uuid4()), "series": series})

    def log_metric(self, c: Connection, run: str, step: int) -> None:
        """A batch of one."""
        self._metrics(
            c,
            run,
            [{"name": "loss", "kind": "scalar", "columns": {"": [0.5]}, "steps": [step], "times": [time.time()]}],
        )

    def log_batch(self, c: Connection, run: str, first: int) -> None:
        """One batch."""
        now = time.time()
        steps, times = list(range(first, first + STEPS)), [now] * STEPS
        values = [step * 0.001 for step in steps]
        self._metrics(
            c,
            run,
            [
                {"name": f"m{key}", "kind": "scalar", "columns": {"": values}, "steps": steps, "times": times}
                for key in range(KEYS)
            ],
        )

    def log_points(self, c: Connection, run: str, name: str, first: int, values: list[float]) -> None:
        """One batch of one series."""
        steps = list(range(first, first + len(values)))
        times = [time.time()] * len(values)
        self._metrics(
            c, run, [{"name": name, "kind": "scalar", "columns": {"": values}, "steps": steps, "times": times}]
        )

    def page(self, c: Connection, *, filtered: bool = False, cursor: str = "") -> tuple[int, str]:
        """GET …/runs ordered by a metric."""
        query: dict[str, Any] = {
            "experiment": "seeded",
            "order": "-metric:accuracy",
            "limit": 100,
            "metrics": "accuracy,loss",
        }
        if filtered:
            query["tag"] = "solver=adam"
        if cursor:
            query["cursor"] = cursor
        answer = c.json("GET", f"{self.base}/runs?{urlencode(query)}")
        return len(answer["items"]), answer["next"] or ""

    def history(self, c: Connection, run: str, name: str) -> int:
        """The binary history, into numpy."""
        import numpy as np

        body = c.request("GET", f"/api/v1/runs/{run}/metrics/history?{urlencode({'name': name, 'column': ''})}")
        head, _, data = body.partition(b"\n")
        count = int(json.loads(head)["count"])
        steps = np.frombuffer(data, "<i8", count)
        times = np.frombuffer(data, "<f8", count, 8 * count)
        values = np.frombuffer(data, "<f8", count, 16 * count)
        assert len(steps) == len(times) == len(values)
        return count

    def chart(self, c: Connection, runs: list[str], name: str) -> int:
        """The sampled series of each run."""
        points = 0
        for run in runs:
            query = urlencode({"name": name, "column": "", "points": 2000})
            points += len(c.json("GET", f"/api/v1/runs/{run}/metrics/sample?{query}")["y"])
        return points

    def put_artifact(self, c: Connection, run: str, path: str, data: bytes) -> None:
        """PUT …/artifacts/{path}."""
        c.request("PUT", f"/api/v1/runs/{run}/artifacts/{quote(path)}", data, "application/octet-stream")

    def get_artifact(self, c: Connection, run: str, path: str) -> int:
        """GET …/artifacts/{path}."""
        return c.download(f"/api/v1/runs/{run}/artifacts/{quote(path)}")


class MlflowPeer:
    """The tracking server's REST API."""

    api = "/api/2.0/mlflow"

    def __init__(self, server: Mlflow) -> None:
        self.server = server
        for attempt in range(5):  # its master restarts a worker that was slow to say that it is there
            try:
                connection = self.connect()
                connection.json("POST", f"{self.api}/experiments/search", {"max_results": 1})
                break
            except (OSError, RuntimeError):
                if attempt == 4:
                    raise
                time.sleep(2)
        self.experiment = connection.json("POST", f"{self.api}/experiments/create", {"name": "load"})["experiment_id"]
        self.seeded = connection.json("POST", f"{self.api}/experiments/create", {"name": "seeded"})["experiment_id"]

    def connect(self) -> Connection:
        """A connection."""
        return Connection(self.server.port)

    def create_run(self, c: Connection) -> str:
        """runs/create."""
        body = {"experiment_id": self.experiment, "start_time": int(time.time() * 1000)}
        return str(c.json("POST", f"{self.api}/runs/create", body)["run"]["info"]["run_id"])

    def end_run(self, c: Connection, run: str) -> None:
        """runs/update."""
        body = {"run_id": run, "status": "FINISHED", "end_time": int(time.time() * 1000)}
        c.json("POST", f"{self.api}/runs/update", body)

    def log_metric(self, c: Connection, run: str, step: int) -> None:
        """runs/log-metric."""
        body = {"run_id": run, "key": "loss", "value": 0.5, "timestamp": int(time.time() * 1000), "step": step}
        c.json("POST", f"{self.api}/runs/log-metric", body)

    def log_batch(self, c: Connection, run: str, first: int) -> None:
        """runs/log-batch."""
        now = int(time.time() * 1000)
        metrics = [
            {"key": f"m{key}", "value": step * 0.001, "timestamp": now, "step": step}
            for key, step in itertools.product(range(KEYS), range(first, first + STEPS))
        ]
        c.json("POST", f"{self.api}/runs/log-batch", {"run_id": run, "metrics": metrics})

    def log_points(self, c: Connection, run: str, name: str, first: int, values: list[float]) -> None:
        """runs/log-batch, a thousand at a time, which is its limit."""
        now = int(time.time() * 1000)
        for start in range(0, len(values), 1000):
            metrics = [
                {"key": name, "value": value, "timestamp": now, "step": first + start + number}
                for number, value in enumerate(values[start : start + 1000])
            ]
            c.json("POST", f"{self.api}/runs/log-batch", {"run_id": run, "metrics": metrics})

    def page(self, c: Connection, *, filtered: bool = False, cursor: str = "") -> tuple[int, str]:
        """runs/search ordered by a metric."""
        body: dict[str, Any] = {
            "experiment_ids": [self.seeded],
            "max_results": 100,
            "order_by": ["metrics.accuracy DESC"],
        }
        if filtered:
            body["filter"] = "tags.solver = 'adam'"
        if cursor:
            body["page_token"] = cursor
        answer = c.json("POST", f"{self.api}/runs/search", body)
        return len(answer["runs"]), answer.get("next_page_token", "")

    def history(self, c: Connection, run: str, name: str) -> int:
        """metrics/get-history, page by page as its client does."""
        count, token = 0, ""
        while True:
            query = {"run_id": run, "metric_key": name, "max_results": 25_000}
            if token:
                query["page_token"] = token
            answer = c.json("GET", f"{self.api}/metrics/get-history?{urlencode(query)}")
            count += len(answer.get("metrics", []))
            token = answer.get("next_page_token", "")
            if not token:
                return count

    def chart(self, c: Connection, runs: list[str], name: str) -> int:
        """The request of its own charts: an interval of the history of up to 100 runs."""
        query = [("run_ids", run) for run in runs] + [("metric_key", name), ("max_results", "2000")]
        answer = c.json("GET", f"/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?{urlencode(query)}")
        return len(answer.get("metrics", []))

    def put_artifact(self, c: Connection, run: str, path: str, data: bytes) -> None:
        """mlflow-artifacts, through the server as the client does by default."""
        address = f"/api/2.0/mlflow-artifacts/artifacts/{self.experiment}/{run}/artifacts/{quote(path)}"
        c.request("PUT", address, data, "application/octet-stream")

    def get_artifact(self, c: Connection, run: str, path: str) -> int:
        """The same way back."""
        return c.download(f"/api/2.0/mlflow-artifacts/artifacts/{self.experiment}/{run}/artifacts/{quote(path)}")
