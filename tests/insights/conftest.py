"""The SDK speaking to the server in this process: its transport is Django's test client."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from django.test import Client as DjangoClient

from atelier.client import Client
from runs.states import State
from studio.workspace import tokens
from tests import builders, people

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from runs.models import Run
    from studio.workspace.models import Workspace


class Answer:
    """A response of Django as the SDK reads one."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers: Mapping[str, str] = {k.lower(): v for k, v in response.headers.items()}
        self._body = b"".join(response.streaming_content) if response.streaming else response.content

    def read(self) -> bytes:
        return self._body

    def chunks(self) -> Iterator[bytes]:
        yield self._body

    def close(self) -> None:
        pass


class InProcess:
    """Sends the SDK's requests to the site's URLs."""

    def __init__(self) -> None:
        self.client = DjangoClient()

    def send(self, method: str, url: str, headers: dict[str, str], body: Any, timeout: float) -> Answer:
        parts = urlsplit(url)
        data = b"" if body is None else body if isinstance(body, bytes) else body.read()
        extra = {
            f"HTTP_{k.upper().replace('-', '_')}": v
            for k, v in headers.items()
            if k.lower() not in ("content-type", "content-length")
        }
        kind = headers.get("Content-Type", "application/json")
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return Answer(self.client.generic(method, path, data, content_type=kind, **extra))


@pytest.fixture
def run(lab: Workspace) -> Run:
    """A completed run."""
    return builders.run(lab, state=State.COMPLETED, display_name="trained")


@pytest.fixture
def sdk_of() -> Callable[[User], Client]:
    """The SDK's client of a person."""

    def made(user: User) -> Client:
        token = people.bearer(user)["HTTP_AUTHORIZATION"].removeprefix("Bearer ")
        return Client("http://testserver", token, InProcess())

    return made


@pytest.fixture
def job_of() -> Callable[[Run], Client]:
    """The SDK's client inside the job of a run: it has the run's own token."""

    def made(of: Run) -> Client:
        token = tokens.fresh(tokens.RUN)
        type(of).objects.filter(pk=of.pk).update(token_digest=tokens.digest(token))
        return Client("http://testserver", token, InProcess())

    return made


@pytest.fixture
def browser(contributor: User) -> DjangoClient:
    """carl's browser without JavaScript."""
    client = DjangoClient()
    client.force_login(contributor)
    return client


@pytest.fixture(scope="session")
def diabetes() -> Any:
    """10,000 patients."""
    import os

    import pandas

    folder = os.environ.get("ATELIER_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data"
    return pandas.read_csv(Path(folder) / "diabetes.csv")
