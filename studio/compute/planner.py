"""Decides what a cluster does next: which nodes to add, which to remove, which run gets which nodes.

Plain data in, plain data out; no clock, no database, no engine. `scaling` and `placing` act on the answer.

The order is strict: a higher priority first, and first-in-first-out inside one priority. A run that needs two nodes is
never overtaken by a later one that needs one, so that a distributed run cannot starve; the price is that nodes may idle
for a moment while it waits (docs/adr/0020-strict-order-in-the-queue.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

PREPARING, IDLE, RUNNING, LEAVING, UNUSABLE = "preparing", "idle", "running", "leaving", "unusable"
NODE_STATES = (PREPARING, IDLE, RUNNING, LEAVING, UNUSABLE)


@dataclass(frozen=True)
class Cluster:
    """What a cluster may do. `room`: how many further nodes its engine can hold; `closed`: why it takes no work."""

    name: str
    min_nodes: int
    max_nodes: int
    idle_seconds: int
    room: int = 1_000_000
    room_reason: str = ""
    closed: str = ""


@dataclass(frozen=True)
class NodeView:
    """A node as the planner sees it; `idle_since` is None while it runs something or is not ready."""

    id: int
    name: str
    state: str
    run_id: str = ""
    idle_since: datetime | None = None


@dataclass(frozen=True)
class Ask:
    """A run that waits for `nodes` nodes since `since`; a larger priority goes first."""

    run_id: str
    nodes: int
    priority: int
    since: datetime


@dataclass(frozen=True)
class Wait:
    """Where a run stands: `position` counts from 1; `reason` is a sentence for the queue page."""

    position: int
    reason: str


@dataclass(frozen=True)
class Plan:
    """What to do now. `placed` and `waiting` are keyed by run id and share no key."""

    add: int = 0
    remove: tuple[int, ...] = ()
    placed: dict[str, tuple[int, ...]] = field(default_factory=dict)
    waiting: dict[str, Wait] = field(default_factory=dict)


def in_order(waiting: Sequence[Ask]) -> list[Ask]:
    """The queue: priority first, then age, then the id so that the order never flickers."""
    return sorted(waiting, key=lambda ask: (-ask.priority, ask.since, ask.run_id))


def plan(cluster: Cluster, nodes: Sequence[NodeView], waiting: Sequence[Ask], now: datetime) -> Plan:
    """The next step of `cluster` at `now`.

    Waiting runs get idle nodes from the head of the queue until one cannot be served whole (all nodes or none). What
    the queue still lacks is added up to max_nodes and only as far as whole runs fit, so that two clusters never hold
    half of what each needs. Idle nodes that nobody waits for leave after idle_seconds, down to min_nodes; the ones
    that idled longest go first.
    """
    queue = in_order(waiting)
    if cluster.closed:
        leaving = tuple(n.id for n in nodes if n.state in (IDLE, PREPARING, UNUSABLE))
        return Plan(remove=leaving, waiting={a.run_id: Wait(i, cluster.closed) for i, a in enumerate(queue, 1)})
    idle = sorted((n for n in nodes if n.state == IDLE), key=lambda n: (n.idle_since or now, n.id), reverse=True)
    placed, rest = _place(queue, idle)
    taken = {node_id for ids in placed.values() for node_id in ids}
    free = [n for n in idle if n.id not in taken]
    alive = sum(n.state != LEAVING and n.state != UNUSABLE for n in nodes)
    preparing = sum(n.state == PREPARING for n in nodes)
    wanted = _wanted(cluster, rest, len(free) + preparing, alive)
    # Nodes that are leaving still hold their share of the cluster until they are gone.
    add = min(wanted, cluster.room, cluster.max_nodes - sum(n.state != UNUSABLE for n in nodes))
    add = max(add, 0)
    # Idle nodes stay while the head of the queue is about to get the rest of what it needs. Without that prospect they
    # leave as usual: another cluster of the same engine may need their share.
    hoping = bool(rest) and (add > 0 or preparing > 0 or any(n.state == RUNNING for n in nodes))
    remove = _leavers(cluster, free, alive, now, hoping)
    return Plan(add, remove, placed, _waits(cluster, rest, nodes, len(free), preparing, add))


def _place(queue: list[Ask], idle: list[NodeView]) -> tuple[dict[str, tuple[int, ...]], list[Ask]]:
    """Serves the head of the queue from `idle`; stops at the first that cannot be served whole."""
    placed: dict[str, tuple[int, ...]] = {}
    free = list(idle)
    for index, ask in enumerate(queue):
        if ask.nodes > len(free):
            return placed, queue[index:]
        chosen, free = free[: ask.nodes], free[ask.nodes :]
        placed[ask.run_id] = tuple(sorted(n.id for n in chosen))
    return placed, []


def _wanted(cluster: Cluster, rest: list[Ask], coming: int, alive: int) -> int:
    """How many nodes to add: for whole runs in order while they fit, and up to min_nodes."""
    missing = 0
    spare = coming
    limit = min(cluster.room, cluster.max_nodes - alive)
    for ask in rest:
        need = max(ask.nodes - spare, 0)
        if missing + need > limit:
            break
        spare = max(spare - ask.nodes, 0)
        missing += need
    return max(missing, cluster.min_nodes - alive)


def _leavers(cluster: Cluster, free: list[NodeView], alive: int, now: datetime, hoping: bool) -> tuple[int, ...]:
    """Idle nodes that leave: at once above max_nodes, after idle_seconds above min_nodes unless work is `hoping`."""
    over_max = alive - cluster.max_nodes
    over_min = alive - cluster.min_nodes
    patience = timedelta(seconds=cluster.idle_seconds)
    leaving: list[int] = []
    for node in sorted(free, key=lambda n: (n.idle_since or now, n.id)):
        if len(leaving) >= over_min and len(leaving) >= over_max:
            break
        idled = now - (node.idle_since or now)
        if len(leaving) < over_max or (not hoping and idled >= patience and len(leaving) < over_min):
            leaving.append(node.id)
    return tuple(leaving)


def _waits(
    cluster: Cluster, rest: list[Ask], nodes: Sequence[NodeView], free: int, preparing: int, adding: int
) -> dict[str, Wait]:
    """A sentence for each run that waits; only the head of the queue waits for nodes, the others wait for it."""
    waits: dict[str, Wait] = {}
    for position, ask in enumerate(rest, 1):
        if position == 1:
            reason = _head_reason(cluster, ask, nodes, free, preparing, adding)
        else:
            before = position - 1
            runs = "1 run" if before == 1 else f"{before} runs"
            first = f"; the next one needs {_count(rest[0].nodes)}" if rest[0].nodes > 1 else ""
            reason = f"Behind {runs} on {cluster.name}{first}."
        waits[ask.run_id] = Wait(position, reason)
    return waits


def _head_reason(cluster: Cluster, ask: Ask, nodes: Sequence[NodeView], free: int, preparing: int, adding: int) -> str:
    """Why the first run of the queue waits: the one thing that would have to change for it to start."""
    need = f"needs {_count(ask.nodes)}"
    coming = preparing + adding
    if free + coming >= ask.nodes:
        return f"Next on {cluster.name}: {need}, {coming} {'is' if coming == 1 else 'are'} being prepared."
    unusable = sum(n.state == UNUSABLE for n in nodes)
    if unusable and cluster.room <= 0 and cluster.room_reason:
        return f"Next on {cluster.name}: {need}. {cluster.room_reason}"
    busy = sorted({n.run_id for n in nodes if n.state == RUNNING and n.run_id})
    leaving = sum(n.state == LEAVING for n in nodes)
    alive = sum(n.state not in (LEAVING, UNUSABLE) for n in nodes)
    if cluster.max_nodes - alive - leaving < ask.nodes - free - preparing and (busy or leaving):
        who = f"{_count(sum(n.state == RUNNING for n in nodes))} busy" if busy else f"{_count(leaving)} leaving"
        return f"Next on {cluster.name}: {need}, {free} of {cluster.max_nodes} idle, {who}."
    return f"Next on {cluster.name}: {need}. {cluster.room_reason or 'No further node can be started at the moment.'}"


def _count(nodes: int) -> str:
    return "1 node" if nodes == 1 else f"{nodes} nodes"
