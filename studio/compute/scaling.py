"""Makes a target's nodes what the plan wants: rows first, then the engine, each step safe to repeat.

`settle` is the whole of it and is called by whoever has a reason: a run that asks, a run that ends, the beat. One
process at a time acts for a target (a lease); the others have only written their intent into rows.
"""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from studio.compute import engines, holdings
from studio.compute.models import ComputeTarget, Engine, Node, Placement, ScalingEvent, VmSize
from studio.compute.planner import Cluster, Plan, plan
from studio.compute.signals import look_again
from studio.compute.sizes import Share, Size, refusal, share_of
from studio.errors import StudioError

log = logging.getLogger(__name__)
# How long a killed process keeps others from acting for its target. Two that act at once do no harm: what they make has
# names, and is made once.
LEASE = timedelta(seconds=20)
State = Node.State
_NO_HOST = "Every host of the swarm is paused or drained; set one active: docker node update --availability active."


def size_of(target: ComputeTarget) -> Size:
    """The target's size as the table has it now. A target without one (local) is the whole machine."""
    row = VmSize.objects.filter(name__iexact=target.vm_size).first() if target.vm_size else None
    if row:
        return row.size
    engine = engines.this_machine()
    return Size(target.vm_size or "this machine", max(engine.cpus, 1), engine.memory_bytes / 1024**3)


def share(target: ComputeTarget, engine: Engine, size: Size | None = None) -> Share:
    """What one node of the target gets of an engine. Nodes of `local` share the machine in time and hold nothing."""
    # Several hosts share the nodes of a target.
    hosts = max(Engine.objects.filter(backend=engine.backend).count(), 1)
    return share_of(size or size_of(target), engine.capacity, -(-target.max_nodes // hosts))


def never_fits(target: ComputeTarget, nodes: int) -> str:
    """Why `nodes` nodes can never run for this target, as a sentence, or empty."""
    if target.type == ComputeTarget.Type.LOCAL:
        return ""
    size = size_of(target)
    found = engines.known(target.backend)
    reasons = [refusal(size, engine.capacity, -(-nodes // len(found))) for engine in found]
    return reasons[0] if reasons and all(reasons) else ""


def plan_for(target: ComputeTarget) -> Plan:
    """The plan for the target as its rows are now."""
    nodes = [node.view for node in target.nodes_set.select_related("target")]
    waiting = [row.ask for row in target.placements.filter(placed_at__isnull=True)]
    room, reason = _room(target)
    cluster = Cluster(
        target.name,
        target.min_nodes,
        target.max_nodes,
        target.idle_seconds,
        room,
        reason,
        f"The compute target {target.name} is being deleted." if target.deleting_at else "",
    )
    return plan(cluster, nodes, waiting, timezone.now())


def _room(target: ComputeTarget) -> tuple[int, str]:
    """How many further nodes the engines can hold, and why no more."""
    if target.type == ComputeTarget.Type.LOCAL:
        return target.max_nodes, ""
    size = size_of(target)
    found = engines.known(target.backend)
    alive = [engine for engine in found if engine.available and engine.takes_work]
    if not alive:
        return 0, next((engine.message for engine in found if engine.message), _NO_HOST)
    rooms = [_room_on(engine, share(target, engine, size)) for engine in alive]
    if sum(rooms):
        return sum(rooms), f"{alive[0].name[0].upper()}{alive[0].name[1:]} holds no further node of {size.name} now."
    engine = alive[0]
    free = max(engines.free_memory(engine), 0) / 1024**3
    need = share(target, engine, size).memory_bytes / 1024**3
    if size.gpus and len(engines.free_gpus(engine)) < size.gpus:
        return 0, f"All GPUs of {engine.name} are taken by other nodes."
    return 0, f"A node takes {need:.1f} GiB of memory; {engine.name} has {free:.1f} GiB that no other node holds."


def _room_on(engine: Engine, one: Share) -> int:
    by_memory = max(engines.free_memory(engine), 0) // max(one.memory_bytes, 1)
    by_gpus = len(engines.free_gpus(engine)) // one.gpus if one.gpus else by_memory
    return int(min(by_memory, by_gpus))


def settle(target_id: int) -> None:
    """Plans and acts until the target needs nothing more now. Gives up quietly when another process is at it."""
    if not _take(target_id):
        return
    try:
        for _ in range(5):  # each round may free or fill what the next one plans with
            target = ComputeTarget.objects.filter(pk=target_id).first()
            if target is None:
                break
            ComputeTarget.objects.filter(pk=target_id).update(leased_until=timezone.now() + LEASE)
            if not _round(target):
                break
    finally:
        ComputeTarget.objects.filter(pk=target_id).update(leased_until=None)


def _take(target_id: int) -> bool:
    now = timezone.now()
    free = Q(leased_until__isnull=True) | Q(leased_until__lt=now)
    return bool(ComputeTarget.objects.filter(free, pk=target_id).update(leased_until=now + LEASE))


def _round(target: ComputeTarget) -> bool:
    """One plan and its effects. True when something changed that makes another look worthwhile."""
    engines.for_backend(target.backend)  # asked here, so that no transaction waits for an engine
    step = _write(target)
    changed = False
    for node in list(target.nodes_set.select_related("engine", "target").filter(state=State.PREPARING)):
        changed |= _prepare(node)
    for node in list(target.nodes_set.select_related("engine", "target").filter(state=State.LEAVING)):
        changed |= _clear(node)
    _note_allocation(target)
    if target.deleting_at and not target.nodes_set.exists() and not target.placements.exists():
        ComputeTarget.objects.filter(pk=target.pk, deleting_at__isnull=False).delete()
        return False
    if changed and step.waiting:
        look_again.send(sender=ComputeTarget, run_ids=list(step.waiting))
    if step.waiting and not step.add and not changed and not target.deleting_at:
        changed = _ask_others_to_give_way(target)
    return changed


def _write(target: ComputeTarget) -> Plan:
    """Writes the plan's nodes into rows; runs get theirs when they ask (placing), so that nobody holds one unasked."""
    with transaction.atomic():
        target = ComputeTarget.objects.select_for_update().get(pk=target.pk)
        step = plan_for(target)
        for run_id, wait in step.waiting.items():
            target.placements.filter(run_id=run_id).update(position=wait.position, reason=wait.reason)
        if step.add:
            add_nodes(target, step.add, _why(step))
        if step.remove:
            leave(
                list(
                    target.nodes_set.filter(pk__in=step.remove, state__in=[State.IDLE, State.PREPARING, State.UNUSABLE])
                )
            )
    if step.placed:
        look_again.send(sender=ComputeTarget, run_ids=list(step.placed))
    return step


def _why(step: Plan) -> str:
    count = len(step.waiting)
    if not count:
        return "to reach its minimum"
    return "as 1 run waits" if count == 1 else f"as {count} runs wait"


def add_nodes(target: ComputeTarget, count: int, why: str) -> list[Node]:
    """Makes rows of nodes that are to be prepared, inside the caller's transaction."""
    size = size_of(target)
    made = []
    for _ in range(count):
        engine = _roomiest(target, size)
        one = share(target, engine, size)
        key = secrets.token_hex(6)
        bounded = target.backend != Engine.Backend.PROCESS
        held = target.type != ComputeTarget.Type.LOCAL
        made.append(
            Node.objects.create(
                target=target,
                engine=engine,
                number=target.next_number,
                key=key,
                cpus=one.cpus,
                memory_bytes=one.memory_bytes if held else 0,
                gpus=engines.free_gpus(engine)[: one.gpus],
                network=f"atelier-node-{key}" if bounded else "",
                volume=f"atelier-node-{key}" if bounded else "",
            )
        )
        target.next_number += 1
    target.save(update_fields=["next_number"])
    if held_events(target):
        note(target, "scale_up", f"Adding {'1 node' if count == 1 else f'{count} nodes'} {why}.")
    return made


def held_events(target: ComputeTarget) -> bool:
    """Whether the target's scaling is worth a timeline: the slots of `local` come and go with each run."""
    return target.type != ComputeTarget.Type.LOCAL


def _roomiest(target: ComputeTarget, size: Size) -> Engine:
    found = [engine for engine in engines.known(target.backend) if engine.available and engine.takes_work]
    return max(found, key=lambda engine: (_room_on(engine, share(target, engine, size)), -engine.pk))


def leave(nodes: list[Node]) -> None:
    """Marks nodes as leaving; what they have on the engine is removed afterwards."""
    now = timezone.now()
    for node in nodes:
        node.state, node.state_since, node.idle_since, node.run_id = State.LEAVING, now, None, ""
        node.save(update_fields=["state", "state_since", "idle_since", "run_id"])
    if nodes and held_events(nodes[0].target):
        names = ", ".join(node.name for node in nodes)
        note(nodes[0].target, "scale_down", f"Removing {names}.")


def _prepare(node: Node) -> bool:
    """Makes the node's network and volume on its engine; True when it became idle."""
    try:
        holdings.make(node)
    except StudioError as error:
        return _spoil(node, error.message)
    now = timezone.now()
    changed = Node.objects.filter(pk=node.pk, state=State.PREPARING).update(
        state=State.IDLE, state_since=now, ready_at=now, idle_since=now, message=""
    )
    if changed and held_events(node.target):
        took = (now - node.created_at).total_seconds()
        note(node.target, "ready", f"{node.name} is ready on {node.engine} after {took:.1f} s.", node=node.name)
    return bool(changed)


def _spoil(node: Node, why: str) -> bool:
    """A node that could not be prepared or lost its engine; it is looked at again by the beat."""
    if (
        Node.objects.filter(pk=node.pk)
        .exclude(state=State.UNUSABLE)
        .update(state=State.UNUSABLE, state_since=timezone.now(), idle_since=None, message=why)
    ):
        note(node.target, "unusable", f"{node.name} cannot be used: {why}", node=node.name, run_id=node.run_id)
    return False


def _clear(node: Node) -> bool:
    """Removes what a leaving node has on its engine, then its row. Repeated by the beat until it succeeds."""
    try:
        holdings.remove(node)
    except StudioError as error:
        # A container of the run that ended is still being removed, or the engine is away.
        Node.objects.filter(pk=node.pk).update(message=error.message)
        return False
    Node.objects.filter(pk=node.pk).delete()
    if held_events(node.target):
        note(node.target, "removed", f"{node.name} is gone, with its network and volume.", node=node.name)
    return True


def _note_allocation(target: ComputeTarget) -> None:
    moving = target.nodes_set.filter(state__in=[State.PREPARING, State.LEAVING]).exists()
    ComputeTarget.objects.filter(pk=target.pk).exclude(resizing=moving).update(
        resizing=moving, allocation_changed_at=timezone.now()
    )


def _ask_others_to_give_way(target: ComputeTarget) -> bool:
    """Idle nodes above the minimum of other targets on the same engines leave early when this one waits for room."""
    room, _ = _room(target)
    if room:
        return False
    changed = False
    others = ComputeTarget.objects.filter(backend=target.backend, nodes_set__state=State.IDLE).exclude(pk=target.pk)
    for other in others.distinct():
        with transaction.atomic():
            other = ComputeTarget.objects.select_for_update().get(pk=other.pk)
            if other.placements.filter(placed_at__isnull=True).exists():
                continue
            alive = other.nodes_set.filter(state__in=[State.IDLE, State.RUNNING, State.PREPARING]).count()
            spare = max(alive - other.min_nodes, 0)
            idle = list(other.nodes_set.filter(state=State.IDLE).order_by("idle_since")[:spare])
            if idle and held_events(other):
                note(other, "gives_way", f"Idle nodes make room for {target.name}, which waits for it.")
            leave(idle)
        for node in idle:
            changed |= _clear(node)
        _note_allocation(other)
    return changed


def note(target: ComputeTarget, kind: str, message: str, *, node: str = "", run_id: str = "") -> None:
    """Writes a line of the target's timeline."""
    nodes = target.nodes_set.exclude(state=State.UNUSABLE).count()
    ScalingEvent.objects.create(target=target, kind=kind, nodes=nodes, node=node, run_id=run_id, message=message)


def waiting_targets() -> list[int]:
    """Targets with anything to look at: work, nodes that come or go, a wish to be deleted, a minimum to keep."""
    moving = Q(nodes_set__isnull=False) | Q(deleting_at__isnull=False) | Q(min_nodes__gt=0)
    waits = Q(pk__in=Placement.objects.filter(placed_at__isnull=True).values("target_id"))
    return list(ComputeTarget.objects.filter(moving | waits).values_list("pk", flat=True).distinct())
