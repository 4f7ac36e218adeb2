"""A live server on an engine of its own, with what a person sees on its pages and what is left on its disks."""

from __future__ import annotations

import contextlib
import html
import re
from collections.abc import Iterator
from typing import Any

import requests
from django.conf import settings

from tests.engine import Engine
from tests.execution.live import Live
from tests.stack import Stack, wait_for

# The base image's own Python; only the SDK is put on top.
PYTHON = {"userManagedDependencies": True, "interpreterPath": "python3"}
BUILD_SECONDS = 120
# What builds share on purpose, and what is built for a run and kept for the next.
KEPT = ("atelier/ground:", "atelier/python:", "atelier/conda:", "azureml/azureml_")
LOGS = {
    "build": "azureml-logs/20_image_build_log.txt",
    "agent": "azureml-logs/55_azureml-execution-{node}.txt",
    "prepare": "azureml-logs/65_job_prep-{node}.txt",
}


class Watched(Live):
    """Runs in containers of the engine, unless a test says otherwise."""

    def __init__(self, stack: Stack, engine: Engine) -> None:
        super().__init__(stack)
        self.engine = engine
        self.owner = {"Authorization": f"Bearer {stack.token}"}
        self.browser = requests.Session()
        form = self.browser.get(f"{stack.url}/sign-in").text
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        assert token, form
        self.browser.post(
            f"{stack.url}/sign-in",
            {"csrfmiddlewaretoken": token.group(1), "username": "olga", "password": stack.password},
            headers={"Referer": f"{stack.url}/sign-in"},
        ).raise_for_status()

    def job(self, source: str, *arguments: str, docker: dict[str, Any] | None = None, **definition: Any) -> str:
        """Submits a script for a container: in the base image, or what `docker` and `python` say."""
        environment = {
            "python": definition.pop("python", PYTHON),
            "docker": {"baseImage": settings.BASE_IMAGE} if docker is None else docker,
        }
        return self.submit(source, *arguments, environment=environment, docker={"useDocker": True}, **definition)

    def dockerfile(self, *lines: str, source: str = "print('through')", **definition: Any) -> str:
        """Submits a script for an image of a Dockerfile's own."""
        text = "\n".join([f"FROM {settings.BASE_IMAGE}", *lines])
        return self.job(source, docker={"baseDockerfile": text}, **definition)

    def page(self, path: str) -> str:
        """A page as olga sees it, its text without markup and with single spaces."""
        answer = self.browser.get(f"{self.stack.url}{path}", timeout=30)
        assert answer.status_code == 200, f"{path}: {answer.status_code}\n{answer.text[:500]}"
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.text)).split())

    def run_page(self, run_id: str) -> str:
        """The run's Details."""
        return self.page(f"/w/{self.stack.workspace}/runs/{run_id}/")

    def shows(self, run_id: str, sentence: str, seconds: float = 60) -> str:
        """The run's page once it says the sentence."""
        page = ""

        def look() -> bool:
            nonlocal page
            page = self.run_page(run_id)
            return sentence in page

        with contextlib.suppress(AssertionError):
            wait_for(look, seconds, sentence)
        assert sentence in page, (
            f"not on the page: {sentence}\n{page}\n{self.everything(run_id)}\n{self.stack.log('worker')}"
        )
        return page

    def fails(self, run_id: str, code: str, *sentences: str, seconds: float = BUILD_SECONDS) -> None:
        """The run ends Failed, with that code, and its page says why; nothing of it stays on the engine."""
        run = self.ends(run_id, seconds)
        assert (run["status"], run["error"]["code"]) == ("Failed", code), (run["error"], self.everything(run_id))
        page = self.run_page(run_id)
        for sentence in sentences:
            assert sentence in page, f"not on the page: {sentence}\n{page}\n{self.everything(run_id)}"
        wait_for(lambda: self.of_run(run_id) == [], 20, "nothing of the run is left")

    def completes(self, run_id: str, seconds: float = BUILD_SECONDS) -> dict[str, Any]:
        """The run ends Completed."""
        run = self.ends(run_id, seconds)
        assert run["status"] == "Completed", (run["error"], self.everything(run_id), self.stack.log("worker"))
        wait_for(lambda: self.of_run(run_id) == [], 20, "nothing of the run is left")
        return run

    def of_run(self, run_id: str) -> list[str]:
        """What the engine holds of a run."""
        return [
            name
            for kind in ("containers", "networks", "volumes")
            for name in self.engine.everything()[kind]
            if run_id in name
        ]

    def left(self) -> set[str]:
        """What should be gone when runs are over: on the engine, in the worker's folder for temporary files."""
        with contextlib.closing(self.engine.client()) as api:
            tags = {tag for image in api.images(filters={"dangling": False}) for tag in image["RepoTags"] or []}
            dangling = {
                f"{image['Id']} {api.history(image['Id'])[0]['CreatedBy']}"
                for image in api.images(filters={"dangling": True})
            }
        images = {tag for tag in tags if not tag.startswith(KEPT)} | dangling
        found = self.engine.everything()
        folders = {str(path) for path in (self.stack.home / "tmp").iterdir() if "atelier" in path.name}
        venvs = {str(path) for path in (self.stack.home / "venvs").glob("*.????????")}
        return images | found["containers"] | found["networks"] | found["volumes"] | folders | venvs

    def python(self, code: str) -> str:
        """What a line of code prints on the server's data."""
        return self.stack.manage("shell", "--no-imports", "-c", code)

    def container(self, run_id: str) -> str:
        """The name of a run's only container."""
        return f"atelier-{run_id}-0-0"

    def file_of(self, run_id: str, name: str, node: str = "local") -> str:
        """One of the logs of the lifecycle."""
        return self.log(run_id, LOGS[name].format(node=node))

    def forget(self, image: str) -> None:
        """As on another engine of the same site: the image and its layers are not in this engine's store."""
        with contextlib.closing(self.engine.client()) as api:
            for found in api.images(name=image):
                api.remove_image(found["Id"], force=True)

    @contextlib.contextmanager
    def cluster(self, name: str, max_nodes: int) -> Iterator[str]:
        """A cluster of the engine for as long as the block lasts."""
        address = f"/workspaces/{self.stack.workspace}/computes"
        body = {"name": name, "type": "AmlCompute", "vm_size": "STANDARD_D2_V2", "backend": "docker"}
        scale = {"min_nodes": 0, "max_nodes": max_nodes, "idle_seconds_before_scaledown": 1}
        self.client.call("POST", address, json_body=body | scale)
        try:
            yield name
        finally:
            self.client.call("DELETE", f"{address}/{name}")
