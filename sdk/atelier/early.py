"""Old names that a script may import before it imports anything of ours.

Loaded at every start of a Python that has the SDK: through `atelier_sdk.pth` where it is installed, through
`sitecustomize` where it only lies on PYTHONPATH. So it imports nothing; `azureml` comes, with all its names, when one of
these is asked for.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own costs milliseconds at every start
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

NAMES = ("fairlearn.metrics._group_metric_set", "interpret.ext.blackbox", "interpret.ext.glassbox")


class Early:
    """Stands on sys.meta_path in front of the others, for NAMES alone."""

    @staticmethod
    def find_spec(
        fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of an old name, None for all others."""
        if fullname not in NAMES:
            return None
        from azureml._names import Finder

        return Finder().find_spec(fullname, path, target)


def install() -> None:
    """Put it in place, once."""
    if Early not in sys.meta_path:
        sys.meta_path.insert(0, Early)


install()
