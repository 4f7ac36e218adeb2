"""What a story of a cluster may leave on the engine: nothing of its nodes, and no image that the next one would find."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from studio.containers import containers, images, networks, volumes
from studio.environments.building.image import KEY_LABEL
from studio.errors import StudioError
from tests.stack import wait_for


def of_cluster(name: str) -> set[str]:
    """Networks and volumes of a cluster's nodes, by the cluster's own mark: other tests have nodes on the same engine."""
    marked = {"atelier.node": None, "atelier.target": name}
    return {*networks.names(marked), *volumes.names(marked)}


@contextlib.contextmanager
def nothing_of(cluster: str) -> Iterator[None]:
    """AssertionError when, after the block, the engine holds more of the cluster, or of containers of runs, than before."""
    before, jobs = of_cluster(cluster), set(containers.names({"atelier.run": None}))
    yield
    wait_for(lambda: of_cluster(cluster) <= before, 30, f"the nodes of {cluster} are gone with all they had")
    wait_for(lambda: set(containers.names({"atelier.run": None})) <= jobs, 30, "no container of a run is left")


@contextlib.contextmanager
def images_of_its_own() -> Iterator[None]:
    """Takes away what the block has built, so that the next time it is built again."""
    before = {tag for image in images.list_images({KEY_LABEL: None}) for tag in image.tags}
    yield
    for image in images.list_images({KEY_LABEL: None}):
        for tag in set(image.tags) - before:
            with contextlib.suppress(StudioError):
                images.remove(tag)
