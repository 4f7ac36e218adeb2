"""v1 names for the explanations of a run, and the explainers that how-tos import from here."""

from __future__ import annotations

from typing import Any

from azureml.interpret._client import ExplanationClient

__all__ = ["ExplanationClient", "MimicExplainer", "MimicWrapper", "PFIExplainer", "TabularExplainer"]


def __getattr__(name: str) -> Any:
    if name in ("TabularExplainer", "MimicExplainer", "PFIExplainer"):
        try:
            import interpret.ext.blackbox as blackbox
        except ImportError:
            from atelier.explanations import explainers as blackbox  # type: ignore[no-redef]
        return getattr(blackbox, name)
    if name == "MimicWrapper":
        from azureml.interpret.mimic_wrapper import MimicWrapper

        return MimicWrapper
    raise AttributeError(f"module 'azureml.interpret' has no attribute {name!r}")
