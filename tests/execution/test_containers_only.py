"""A site that names containers as its compute: no job runs beside the worker, which holds the door to the engine."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.conf import settings

from atelier.errors import UserError
from tests.execution.live import Live
from tests.execution.test_docker_jobs import BUILD_SECONDS, environment, left_of, nothing_is_left_of
from tests.stack import running_stack

pytestmark = [pytest.mark.docker, pytest.mark.xdist_group("stack"), pytest.mark.timeout(400)]
NOWHERE = "http://host.docker.internal:9"  # the discard port: nobody listens


@pytest.fixture
def live() -> Iterator[Live]:
    """A server whose containers are told a wrong address."""
    with running_stack(
        ATELIER_COMPUTE_BACKEND="docker", SERVER_URL_FOR_CONTAINERS=NOWHERE, ATELIER_BASE_IMAGE=settings.BASE_IMAGE
    ) as stack:
        yield Live(stack)


def test_local_means_containers_and_one_that_cannot_reach_the_server_is_explained(live: Live):
    with pytest.raises(UserError, match="in containers only"):
        live.client.call(
            "POST",
            f"/workspaces/{live.stack.workspace}/computes",
            json_body={"name": "beside", "vm_size": "STANDARD_D2_V2", "max_nodes": 1, "backend": "process"},
        )
    run_id = live.submit("print('never')", environment=environment(), target="local")
    run = live.until(run_id, lambda run: "cannot reach" in run["waiting_for"], BUILD_SECONDS, "the run says why")
    assert NOWHERE in run["waiting_for"] and "SERVER_URL_FOR_CONTAINERS" in run["waiting_for"]
    assert any(left_of(run_id)) and not live.folder(run_id).exists()
    live.cancel(run_id)
    assert live.ends(run_id)["status"] == "Canceled"
    assert nothing_is_left_of(run_id)
