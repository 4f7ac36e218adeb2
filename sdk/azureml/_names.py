"""Makes names importable that v1 scripts expect in other packages, where those packages lack them.

One finder on sys.meta_path; nothing is imported until a script asks for one of the names:

- `fairlearn.metrics._group_metric_set` (gone since fairlearn 0.9)
- `interpret.ext.blackbox` gets TabularExplainer, MimicExplainer and PFIExplainer, and `interpret.ext.glassbox` the
  surrogate models, unless interpret-community has registered its own there.
"""

from __future__ import annotations

import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

METRIC_SET = "fairlearn.metrics._group_metric_set"
EXTENSIONS = {
    "interpret.ext.blackbox": (
        "atelier.explanations.explainers",
        ("TabularExplainer", "MimicExplainer", "PFIExplainer"),
    ),
    "interpret.ext.glassbox": (
        "atelier.explanations.surrogates",
        ("LGBMExplainableModel", "LinearExplainableModel", "SGDExplainableModel", "DecisionTreeExplainableModel"),
    ),
}


class _MetricSet(Loader):
    """The module under its old name: the builder and the names scripts took from it."""

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The default module."""
        return None

    def exec_module(self, module: ModuleType) -> None:
        """Fill it from ours."""
        from atelier.fairness import metric_set

        module.__doc__ = metric_set.__doc__
        module._create_group_metric_set = metric_set.create_group_metric_set  # type: ignore[attr-defined]


class _Extended(Loader):
    """Runs the module's own loader, then adds the names it lacks, each loaded when it is first used."""

    def __init__(self, loader: Loader, source: str, names: tuple[str, ...]) -> None:
        self.loader, self.source, self.names = loader, source, names

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """As the module's own loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        """The module itself, then a way to what is missing."""
        self.loader.exec_module(module)
        missing = [name for name in self.names if not hasattr(module, name)]
        before = getattr(module, "__getattr__", None)

        def absent(name: str) -> Any:
            if name in missing:
                return getattr(importlib.import_module(self.source), name)
            if before is not None:
                return before(name)
            raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}")

        module.__getattr__ = absent  # type: ignore[method-assign]


class Finder(MetaPathFinder):
    """Answers for the names above, and for nothing else."""

    def find_spec(self, fullname: str, path: Any = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """The spec of one of our names, None for all others."""
        if fullname == METRIC_SET:
            return PathFinder.find_spec(fullname, path) or ModuleSpec(fullname, _MetricSet())
        if fullname in EXTENSIONS:
            spec = PathFinder.find_spec(fullname, path)
            if spec is not None and spec.loader is not None:
                spec.loader = _Extended(spec.loader, *EXTENSIONS[fullname])
            return spec
        return None


def install() -> None:
    """Put the finder in place, once."""
    if not any(isinstance(finder, Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, Finder())
    for name, (source, names) in EXTENSIONS.items():
        module = sys.modules.get(name)
        if module is not None:  # imported before azureml was
            for missing in [n for n in names if not hasattr(module, n)]:
                setattr(module, missing, getattr(importlib.import_module(source), missing))
