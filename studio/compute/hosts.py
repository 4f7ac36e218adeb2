"""The hosts of a swarm as Engine rows: found by asking its manager, each with the address of its own engine.

A host carries nodes when the manager says it is ready and its engine answers: volumes, images and samples are asked
there. It is known again by its id in the swarm, as names may repeat.
"""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone

from studio.compute.models import Engine
from studio.containers import client, swarm
from studio.containers.swarm import Host
from studio.errors import NotFound, StudioError

SWARM = Engine.Backend.SWARM
# Stands for the swarm while nothing is known of its hosts, so that there is a row to say why.
UNKNOWN = "the swarm"


def refresh() -> list[Engine]:
    """Asks the manager for all hosts and writes what it says; the rows, by name. Never empty."""
    rows = list(Engine.objects.filter(backend=SWARM))
    try:
        found, own = swarm.hosts(), swarm.require_manager()
    except StudioError as error:
        return _away(rows, error.message)
    by_id = {row.host_id: row for row in rows if row.host_id}
    names = [host.name for host in found]
    # First those that left: a machine that joins anew has another id, and may want its old name.
    present = {host.id for host in found}
    for row in rows:
        if row.host_id not in present:
            _left(row)
    for host in found:
        row = by_id.get(host.id) or Engine(backend=SWARM, host_id=host.id)
        row.name = host.name if names.count(host.name) == 1 else f"{host.name} ({host.id[:6]})"
        _written(row, host, own)
    return list(Engine.objects.filter(backend=SWARM).order_by("name"))


def look(row: Engine) -> Engine:
    """Asks the manager for one host."""
    if not row.host_id:
        return row
    try:
        return _written(row, swarm.host(row.host_id), swarm.require_manager())
    except NotFound:
        return _left(row)
    except StudioError as error:
        return _away([row], error.message)[0]


def is_drained(row: Engine) -> bool:
    """Asks the manager whether a host is being drained: whatever runs there is ended. Its row is up to date then."""
    if not row.host_id:
        return False
    try:
        found = swarm.host(row.host_id)
        _written(row, found, swarm.require_manager())
    except StudioError:
        return False  # a host or manager that is away is another matter, and is noticed elsewhere
    return found.availability == "drain"


def _written(row: Engine, host: Host, own: str) -> Engine:
    """The row with what the manager says, saved."""
    row.address = "" if host.id == own else host.engine
    row.cpus, row.memory_bytes, row.gpus = host.cpus or row.cpus, host.memory or row.memory_bytes, 0
    row.takes_work = host.availability == "active"
    return _saved(row, _trouble(host, row.address, own))


def _trouble(host: Host, address: str, own: str) -> str:
    """Why a host can carry no nodes now, as a sentence, or empty."""
    if host.state != "ready":
        return swarm.down(host)
    if host.id == own:
        return ""
    if not address:
        return (
            f"The address of the engine on {host.name} is not known; tell it to the swarm: docker node update "
            f"--label-add {swarm.ENGINE_LABEL}=tcp://{host.name}:2376 {host.name}"
        )
    try:
        swarm.require_reachable(address)
    except StudioError as error:
        return error.message
    if not client.answers(address):
        return f"The Docker engine of {host.name} at {address} does not answer; is DOCKER_CERT_PATH right for it?"
    return ""


def _saved(row: Engine, trouble: str) -> Engine:
    now: datetime = timezone.now()
    row.available, row.message = not trouble, trouble
    row.away_since = (row.away_since or now) if trouble else None
    row.seen_at = row.seen_at if trouble else now
    row.save()
    return row


def _away(rows: list[Engine], why: str) -> list[Engine]:
    """The manager does not answer: nobody knows of any host."""
    return [_saved(row, why) for row in rows] or [_saved(Engine(backend=SWARM, name=UNKNOWN), why)]


def _left(row: Engine) -> Engine:
    """A host that is in the swarm no more: its row goes with its last node."""
    if row.pk and not row.nodes.exists():
        Engine.objects.filter(pk=row.pk, nodes__isnull=True).delete()
        return row
    name = row.name
    if row.host_id:
        row.name, row.host_id = f"{row.name} ({row.host_id[:6]}, left)", ""
    return _saved(row, f"The host {name} has left the swarm.")
