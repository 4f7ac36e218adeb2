"""The app's name for Django, and the table of sizes that it ships."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class ComputeConfig(AppConfig):
    """The compute app."""

    name = "studio.compute"
    label = "compute"

    def ready(self) -> None:
        """After each migrate: an empty table of sizes gets the shipped ones; a site's own rows are left alone."""
        post_migrate.connect(_ship_sizes, sender=self, dispatch_uid="compute.sizes")


def _ship_sizes(sender: Any, using: str, **kwargs: Any) -> None:
    from studio.compute.models import VmSize
    from studio.compute.sizes import SHIPPED

    rows = VmSize.objects.using(using)
    if rows.exists():
        return
    rows.bulk_create(
        VmSize(name=s.name, cpus=s.cpus, memory_gib=s.memory_gib, gpus=s.gpus, disk_gib=s.disk_gib, family=s.family)
        for s in SHIPPED
    )
