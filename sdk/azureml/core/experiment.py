"""Experiments."""

from atelier.experiment import Experiment

__all__ = ["Experiment"]
