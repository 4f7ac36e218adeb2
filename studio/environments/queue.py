"""Builds handed to workers, and taken up again when a worker is gone."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from studio import workers
from studio.environments.models import ACTIVE, Build, State

TASK = "environments.build"
# A build that waits this long without a worker is sent again: the message may be lost with its broker.
SENT_AGAIN_AFTER = timedelta(seconds=60)


def build(build_id: int) -> None:
    """Have a worker build it, once the transaction that made the row is committed."""
    transaction.on_commit(lambda: workers.send(TASK, build_id))


def take_up_again(stale: Build) -> bool:
    """Sends a build again whose worker has not been heard of, or that no worker took. False when all is well."""
    now = timezone.now()
    lost = Q(state=State.BUILDING, leased_until__lt=now)
    never_taken = Q(state=State.QUEUED, leased_until__lt=now) | Q(
        state=State.QUEUED, leased_until=None, created_at__lt=now - SENT_AGAIN_AFTER
    )
    # The lease of a queued build is the time until it may be sent once more.
    taken = Build.objects.filter(lost | never_taken, pk=stale.pk).update(
        state=State.QUEUED, holder="", leased_until=now + SENT_AGAIN_AFTER
    )
    if taken:
        build(stale.pk)
    return bool(taken)


def upkeep() -> None:
    """The beat's look: a stale build that is still waited for is sent again, one that is not is over."""
    now = timezone.now()
    for stale in Build.objects.filter(state__in=ACTIVE, leased_until__lt=now):
        if stale.cancel_requested_at or not stale.uses.filter(waiting=True).exists():
            Build.objects.filter(pk=stale.pk, state__in=ACTIVE, leased_until__lt=now).update(
                state=State.CANCELED,
                holder="",
                leased_until=None,
                ended_at=now,
                message="The worker that built this is gone, and no run waits for it any more.",
            )
        else:
            take_up_again(stale)
