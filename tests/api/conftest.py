"""A caller of the API: JSON in, JSON out, through Django's test client."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from django.test import Client

from tests import people

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.http import HttpResponse


class Api:
    """Sends requests as one caller."""

    def __init__(self, headers: dict[str, str]) -> None:
        self.client = Client(raise_request_exception=True)
        self.headers = headers

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> HttpResponse:
        """The raw response; a body that is not bytes is sent as JSON."""
        data = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        return self.client.generic(method, f"/api/v1{path}", data, content_type=kind, **self.headers, **headers)

    def ok(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of an answer that must be a success."""
        response = self.send(method, path, body, **headers)
        assert response.status_code in (200, 201), response.content
        return orjson.loads(response.content)

    def refused(self, status: int, method: str, path: str, body: Any = None, **headers: str) -> str:
        """The sentence of an answer that must be this refusal."""
        response = self.send(method, path, body, **headers)
        assert response.status_code == status, (response.status_code, getattr(response, "content", b"(a stream)"))
        return str(orjson.loads(response.content)["error"]["message"])

    def start(self, experiment: str = "trials", ws: str = "lab", **fields: Any) -> dict[str, Any]:
        """A new interactive run's JSON."""
        return self.ok("POST", f"/workspaces/{ws}/runs", {"experiment": experiment, "kind": "interactive", **fields})

    def log(self, run: str, name: str, values: list[Any], kind: str = "scalar", **entry: Any) -> None:
        """Append values of a one-column metric; times are 1, 2, 3 …"""
        times = entry.pop("times", [float(i + 1) for i in range(len(values))])
        series = [{"name": name, "kind": kind, "columns": {"": values}, "steps": None, "times": times, **entry}]
        self.ok("POST", f"/runs/{run}/metrics", {"batch": str(uuid.uuid4()), "series": series})


@pytest.fixture
def as_user() -> Callable[[User], Api]:
    """An Api with a fresh personal token of a person."""
    return lambda user: Api(people.bearer(user))


@pytest.fixture
def api(contributor: User) -> Api:
    """carl's Api, who may submit in `lab`."""
    return Api(people.bearer(contributor))
