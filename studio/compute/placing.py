"""What a worker asks for a run: may it start now, and on which nodes; and that it has ended.

    answer = placing.place(run.id, run.workspace_id, "cpu-cluster", nodes=2, priority=0)

All verbs may be called again with the same arguments: a run that has its nodes is told the same nodes.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from studio.compute import engines, hosts, scaling, targets
from studio.compute.models import ComputeTarget, Engine, Node, Placement
from studio.errors import StudioError


@dataclass(frozen=True)
class PlacedNode:
    """A node as an executor needs it. `memory_bytes` 0: no bound of its own. `engine` is a URL, empty: the default.

    `host` is the id of its host in a swarm."""

    name: str
    backend: str
    engine: str
    network: str
    volume: str
    cpus: float
    memory_bytes: int
    gpus: tuple[int, ...]
    host: str = ""


@dataclass(frozen=True)
class Placed:
    """The run has these nodes until `release`."""

    nodes: tuple[PlacedNode, ...]
    backend: str


@dataclass(frozen=True)
class Waiting:
    """Ask again when woken. `position` counts from 1 in the target's queue; `reason` is a sentence."""

    reason: str
    position: int


@dataclass(frozen=True)
class Refused:
    """It can never run there; `message` says why and what to do."""

    message: str


Answer = Placed | Waiting | Refused


def place(
    run_id: str, workspace_id: int, target_name: str, nodes: int = 1, priority: int = 0, gpus: int = 0, label: str = ""
) -> Answer:
    """Asks for `nodes` nodes of a target, all or none. `gpus`: how many each must have; `label`: the run's name."""
    target = targets.find(workspace_id, target_name)
    if target is None:
        return Refused(_unknown(workspace_id, target_name))
    if not target.deleting_at and (held := _held(run_id)):
        return held
    engines.for_backend(target.backend)  # asked here, so that no transaction waits for an engine
    if why := _refusal(target, nodes, gpus):
        release(run_id)
        return Refused(why)
    answer = _assign(run_id, target, nodes, priority, gpus, label)
    if isinstance(answer, Waiting):
        # Grow now, in this process: a wake-up later would only add its own delay.
        scaling.settle(target.pk)
        answer = _assign(run_id, target, nodes, priority, gpus, label)
    return answer


def _unknown(workspace_id: int, name: str) -> str:
    have = list(ComputeTarget.objects.filter(workspace_id=workspace_id).values_list("name", flat=True)[:10])
    listed = ", ".join(dict.fromkeys([*have, targets.LOCAL]))
    return f"There is no compute target {name!r} in this workspace; there is {listed}. It may have been deleted."


def _refusal(target: ComputeTarget, nodes: int, gpus: int) -> str:
    """Why the target never takes such a run, or empty."""
    if target.deleting_at:
        return f"The compute target {target.name} was deleted; submit the run to another one."
    if nodes > target.max_nodes and target.type != ComputeTarget.Type.LOCAL:
        return (
            f"The run needs {nodes} nodes and {target.name} has at most {target.max_nodes}; "
            f"raise its max_nodes or ask for fewer."
        )
    try:
        if why := scaling.never_fits(target, nodes):
            return why
        has = scaling.size_of(target).gpus
    except StudioError:
        return ""  # the engine is away: that is a reason to wait, and the queue says so
    if gpus > has:
        return f"The run needs {gpus} GPUs on each node; a node of {target.name} ({target.vm_size}) has {has}."
    return ""


def _held(run_id: str) -> Placed | None:
    row = Placement.objects.filter(run_id=run_id, placed_at__isnull=False).select_related("target").first()
    return _placed(row) if row else None


def _placed(row: Placement) -> Placed | None:
    nodes = list(Node.objects.filter(run_id=row.run_id).select_related("engine", "target").order_by("number"))
    if len(nodes) < row.nodes:
        return None
    return Placed(tuple(_node(node) for node in nodes), row.target.backend)


def _node(node: Node) -> PlacedNode:
    return PlacedNode(
        node.name,
        node.target.backend,
        node.engine.address,
        node.network,
        node.volume,
        node.cpus,
        node.memory_bytes,
        tuple(node.gpus),
        node.engine.host_id,
    )


def _assign(run_id: str, target: ComputeTarget, nodes: int, priority: int, gpus: int, label: str) -> Answer:
    """Writes the run into the queue and, when the plan gives it its nodes, the nodes to the run. One transaction."""
    with transaction.atomic():
        target = ComputeTarget.objects.select_for_update().filter(pk=target.pk).first() or target
        if target.pk is None or target.deleting_at:
            return Refused(f"The compute target {target.name} was deleted; submit the run to another one.")
        row, _ = Placement.objects.get_or_create(
            run_id=run_id,
            defaults={"target": target, "nodes": nodes, "priority": priority, "gpus": gpus, "label": label[:300]},
        )
        if row.placed_at:
            if placed := _placed(row):
                return placed
            row.placed_at = None  # a node was lost with its engine: it stands in the queue again, at its old place
            _free(row.run_id)
        step = scaling.plan_for(target)
        if run_id not in step.placed and target.type == ComputeTarget.Type.LOCAL and step.add:
            for node in scaling.add_nodes(target, step.add, "as work waits"):
                node.state, node.idle_since = Node.State.IDLE, timezone.now()  # nothing to prepare
                node.save(update_fields=["state", "idle_since"])
            step = scaling.plan_for(target)
        if run_id in step.placed:
            _give(row, target, step.placed[run_id])
            placed = _placed(row)
            assert placed is not None, "the rows written above are the ones read"
            return placed
        wait = step.waiting[run_id]
        row.position, row.reason = wait.position, wait.reason
        row.save()
        return Waiting(wait.reason, wait.position)


def _give(row: Placement, target: ComputeTarget, node_ids: Iterable[int]) -> None:
    now = timezone.now()
    Node.objects.filter(pk__in=list(node_ids), state=Node.State.IDLE).update(
        state=Node.State.RUNNING, run_id=row.run_id, idle_since=None, state_since=now
    )
    row.placed_at, row.position, row.reason = now, 0, ""
    row.save()
    if scaling.held_events(target):
        names = ", ".join(n.name for n in Node.objects.filter(run_id=row.run_id).select_related("target"))
        scaling.note(target, "assigned", f"{names} took up {row.label or row.run_id}.", run_id=row.run_id)


def release(run_id: str) -> None:
    """The run has ended, or does not want its nodes any more. Whoever waits is looked at at once."""
    row = Placement.objects.filter(run_id=run_id).select_related("target").first()
    if row is None:
        return
    with transaction.atomic():
        row.delete()
        _free(run_id)
    transaction.on_commit(lambda: scaling.settle(row.target_id))


def _free(run_id: str) -> None:
    """The run's nodes become idle; the slots of `local` and nodes that are lost go at once."""
    now = timezone.now()
    nodes = Node.objects.filter(run_id=run_id)
    nodes.filter(target__type=ComputeTarget.Type.LOCAL).delete()
    # On a host that takes no work a node is not idle: the next run would be placed where nothing starts.
    scaling.leave(list(nodes.filter(engine__takes_work=False).select_related("target")))
    # Nor on one that is away, whether or not the beat has seen that yet: its nodes wait for it, and no run for them.
    nodes.filter(state=Node.State.RUNNING, engine__available=False).update(state=Node.State.UNUSABLE, state_since=now)
    nodes.filter(state=Node.State.RUNNING).update(state=Node.State.IDLE, run_id="", idle_since=now, state_since=now)
    nodes.exclude(state=Node.State.RUNNING).update(run_id="")


def lost(run_id: str) -> str:
    """Why a run that has its nodes must end although its job may still run; empty when all is well."""
    row = Placement.objects.filter(run_id=run_id, placed_at__isnull=False).select_related("target").first()
    if row is None:
        return ""
    nodes = list(Node.objects.filter(run_id=run_id).select_related("engine", "target"))
    if len(nodes) < row.nodes:
        return f"A node of {row.target.name} that the run was on is gone."
    patience = timedelta(seconds=settings.ENGINE_AWAY_SECONDS)
    for node in nodes:
        away = node.engine.away_since
        if away and timezone.now() - away > patience:
            return f"{node.name} was lost: {node.engine.message}"
    return ""


def look_at_hosts(run_id: str) -> None:
    """Asks the manager of a swarm for the hosts of the run's nodes, so that what follows knows which are away or drained."""
    for engine in Engine.objects.filter(backend=Engine.Backend.SWARM, nodes__run_id=run_id).distinct():
        hosts.look(engine)


def drained(run_id: str) -> str:
    """Why a run's job was ended by its swarm, when one of its hosts is being drained; empty when none is.

    Asks the manager: jobs end in the same moment, before the beat has looked at the hosts again.
    """
    nodes = Node.objects.filter(run_id=run_id, engine__backend=Engine.Backend.SWARM).select_related("engine", "target")
    for node in nodes:
        if hosts.is_drained(node.engine):
            return f"{node.name} was taken from the run: the host {node.engine.name} is being drained in the swarm."
    return ""


def target_type(run_id: str) -> str:
    """What sort of target the run is on, in v1's small letters: amlcompute, computeinstance or local; "" for none."""
    found = Placement.objects.filter(run_id=run_id).values_list("target__type", flat=True).first()
    return (found or "").lower()


def withdrawn(run_id: str) -> dt.datetime | None:
    """When the target of a run that has its nodes was asked to go, None when it was not: then the run must stop."""
    row = Placement.objects.filter(run_id=run_id, placed_at__isnull=False).select_related("target").first()
    return row.target.deleting_at if row else None


def waiting_runs() -> list[str]:
    """Ids of all runs that compute knows, waiting or placed: those above compare them with what is still alive."""
    return list(Placement.objects.values_list("run_id", flat=True))
