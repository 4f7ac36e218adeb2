"""What must happen though nobody asks: idle nodes leave, lost engines are noticed, leftovers on engines go."""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from studio.compute import engines, holdings, scaling
from studio.compute.models import ComputeTarget, Engine, Node, Placement, UsageSample
from studio.compute.signals import look_again
from studio.containers import networks, volumes
from studio.errors import StudioError

log = logging.getLogger(__name__)
SWEEP_EVERY = timedelta(minutes=1)
_last_sweep = timezone.now() - SWEEP_EVERY
State = Node.State


def tick() -> None:
    """One round of upkeep. Each part stands alone: an engine that is away stops only what needs it."""
    for engine in _engines_in_use():
        check_engine(engine)
    for target_id in scaling.waiting_targets():
        scaling.settle(target_id)
    global _last_sweep
    if timezone.now() - _last_sweep >= SWEEP_EVERY:
        _last_sweep = timezone.now()
        sweep()
        _forget_old_samples()


def _engines_in_use() -> list[Engine]:
    """Engines that carry nodes, or are away: the others are looked at when somebody needs them."""
    return list(Engine.objects.filter(Q(nodes__isnull=False) | Q(available=False)).distinct())


def check_engine(engine: Engine) -> None:
    """Looks at an engine. Away: its nodes are unusable. Back: nodes that are still whole go on, the others leave."""
    was = engine.available
    engine = engines.look(engine)
    nodes = list(engine.nodes.select_related("target", "engine"))
    if not engine.available:
        for node in nodes:
            if node.state in (State.IDLE, State.RUNNING, State.PREPARING):
                _mark_unusable(node, engine.message)
        if engine.is_gone:
            scaling.leave([node for node in nodes if not node.run_id and node.state != State.LEAVING])
        _tell_runs(nodes, was != engine.available)
        return
    for node in nodes:
        if node.state == State.UNUSABLE:
            _revive(node)
    if not engine.takes_work:
        scaling.leave([node for node in nodes if node.state == State.IDLE])
    _tell_runs(nodes, was != engine.available)


def _mark_unusable(node: Node, why: str) -> None:
    Node.objects.filter(pk=node.pk).update(
        state=State.UNUSABLE, state_since=timezone.now(), idle_since=None, message=why
    )
    scaling.note(node.target, "unusable", f"{node.name} cannot be used: {why}", node=node.name, run_id=node.run_id)


def _revive(node: Node) -> None:
    """The engine answers again: a node whose network and volume survived goes on, any other is prepared anew."""
    try:
        whole = holdings.whole(node)
    except StudioError:
        return
    now = timezone.now()
    state = State.RUNNING if node.run_id else State.IDLE
    if not whole:
        # A running node stays with its run, which asks for its end when it finds its container gone.
        state = State.RUNNING if node.run_id else State.PREPARING
    Node.objects.filter(pk=node.pk, state=State.UNUSABLE).update(
        state=state, state_since=now, idle_since=now if state == State.IDLE else None, message=""
    )
    scaling.note(node.target, "back", f"{node.name} is usable again.", node=node.name, run_id=node.run_id)


def _tell_runs(nodes: list[Node], changed: bool) -> None:
    ids = {node.run_id for node in nodes if node.run_id} if changed else set()
    if changed:
        ids |= set(
            Placement.objects.filter(placed_at__isnull=True, target__in=[n.target_id for n in nodes]).values_list(
                "run_id", flat=True
            )
        )
    if ids:
        look_again.send(sender=ComputeTarget, run_ids=sorted(ids))


def sweep() -> None:
    """Removes networks and volumes of nodes that no row knows any more, from each engine this site has used."""
    labels: dict[str, str | None] = {"atelier.site": engines.site(), "atelier.node": None}
    known = set(Node.objects.exclude(network="").values_list("network", flat=True))
    addresses = set(
        Engine.objects.exclude(backend=Engine.Backend.PROCESS).filter(available=True).values_list("address", flat=True)
    )
    for address in addresses:
        try:
            for name in set(networks.names(labels, engine=address or None)) - known:
                log.warning("removing the network %s of a node that is gone", name)
                networks.remove(name, engine=address or None)
            for name in set(volumes.names(labels, engine=address or None)) - known:
                log.warning("removing the volume %s of a node that is gone", name)
                volumes.remove(name, engine=address or None)
        except StudioError as error:
            log.warning("could not sweep %s: %s", address or "the default engine", error.message)


def _forget_old_samples() -> None:
    UsageSample.objects.filter(at__lt=timezone.now() - timedelta(days=settings.USAGE_DAYS)).delete()
