"""The building of an environment that was asked for by name, followed to its end."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from atelier.client import segment
from atelier.errors import UserError
from atelier.progress import Progress

if TYPE_CHECKING:
    from atelier.workspace import Workspace

QUICKEST, SLOWEST = 0.1, 2.0
FINAL = frozenset({"Succeeded", "Failed", "Canceled"})


class ImageBuildDetails:
    """A build on the server: of an image, or of a virtual environment where jobs run as processes.

    `status` is Queued, Building, Succeeded, Failed or Canceled, read anew each time until it is one of the last three.
    """

    def __init__(self, workspace: Workspace, name: str, record: Mapping[str, Any]) -> None:
        self.workspace = workspace
        self.environment_name = name
        self._record = dict(record)

    def __repr__(self) -> str:
        return (
            f"ImageBuildDetails(Environment: {self.environment_name}, Id: {self.id}, Status: {self._record['state']})"
        )

    def _address(self, tail: str = "") -> str:
        return f"/workspaces/{segment(self.workspace.name)}/builds/{self.id}{tail}"

    @property
    def id(self) -> str | None:
        """The build's id; None when everything was there and nothing had to be built."""
        found = self._record.get("id")
        return None if found is None else str(found)

    @property
    def status(self) -> str:
        """The state now."""
        if self.id is not None and self._record["state"] not in FINAL:
            self._record = self.workspace.client.call("GET", self._address())
        return str(self._record["state"])

    @property
    def image_name(self) -> str | None:
        """The image's name, as runs have it in the property AzureML.DerivedImageName."""
        return self._record.get("image")

    @property
    def error(self) -> str | None:
        """The sentence of a build that failed."""
        return self._record.get("message") if self.status in ("Failed", "Canceled") else None

    @property
    def portal_url(self) -> str:
        """The address of the build's page."""
        tail = f"{self.id}/" if self.id is not None else ""
        return f"{self.workspace.client.url}/w/{segment(self.workspace.name)}/environments/-/builds/{tail}"

    def get_log(self, offset: int = 0) -> bytes:
        """What the build has printed by now, from the byte `offset` on."""
        if self.id is None:
            return b""
        return self.workspace.client.open("GET", self._address("/log"), params={"offset": offset}).read()

    def wait_for_completion(self, show_output: bool = True, timeout_seconds: float | None = None) -> ImageBuildDetails:
        """Wait until the build is over; `show_output` prints its log as it comes. Raises `UserError` when it failed."""
        deadline = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        shown, pause = 0, QUICKEST
        if show_output:
            print(f"Building the environment {self.environment_name}\nWeb View: {self.portal_url}", flush=True)
        with Progress("", show=show_output) as progress:
            while True:
                status = self.status
                data = self.get_log(shown) if show_output else b""
                if status not in FINAL:
                    data = data[: data.rfind(b"\n") + 1]  # a line, and a character, is printed when it is whole
                if data:
                    progress.wipe()
                    sys.stdout.write(data.decode(errors="replace"))
                    sys.stdout.flush()
                    shown += len(data)
                if status in FINAL:
                    break
                if deadline is not None and time.monotonic() >= deadline:
                    raise UserError(
                        f"The environment {self.environment_name} is still {status} after {timeout_seconds:g} s. It "
                        f"goes on: call wait_for_completion again, or see {self.portal_url}"
                    )
                progress.say(f"{self.environment_name}: {status}")
                pause = QUICKEST if data else min(SLOWEST, pause * 1.3)
                time.sleep(pause)
        if status != "Succeeded":
            raise UserError(
                f"The environment {self.environment_name} could not be built: {self.error or status}\nSee {self.portal_url}"
            )
        return self
