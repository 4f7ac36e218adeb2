"""Names of v1 whose part the server does not have: they can be imported, and say what to do instead when used.

A finder that makes the modules listed in `_later_names`. It stands behind the ordinary finders, so a real module of the
same name takes its place by being written.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from atelier.errors import UnsupportedError
from azureml._later_names import NAMES, SENTENCES


class _Refused(type):
    """A class that cannot be used: calling it, or asking for what is in it, raises the sentence."""

    sentence: str

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise UnsupportedError(f"{cls.__module__}.{cls.__name__}: {cls.sentence}")

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise UnsupportedError(f"{cls.__module__}.{cls.__name__}.{name}: {cls.sentence}")


def refusal(module: str, name: str) -> Any:
    """The refused class `name` of `module`; its sentence is the table's."""
    sentence = SENTENCES.get((module, name)) or NAMES[module][0]
    return _Refused(name, (), {"__module__": module, "__doc__": sentence, "sentence": sentence})


class _Module(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name in NAMES.get(self.__name__, ("", ""))[1].split():
            value = refusal(self.__name__, name)
            setattr(self, name, value)
            return value
        raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *NAMES.get(self.__name__, ("", ""))[1].split()})


class _Finder(MetaPathFinder, Loader):
    """Makes the modules of the table, and the packages above them, where no file does."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not name.startswith("azureml."):
            return None
        above = any(module.startswith(name + ".") for module in NAMES)
        if name not in NAMES and not above:
            return None
        return ModuleSpec(name, self, is_package=above)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Module(spec.name, NAMES.get(spec.name, ("Parts that this server does not have.", ""))[0])

    def exec_module(self, module: ModuleType) -> None:
        """Names come when they are asked for."""


def install() -> None:
    """Put the finder behind the others, once."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())
