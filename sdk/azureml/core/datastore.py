"""Datastores."""

from atelier.datastore import Datastore

__all__ = ["Datastore"]
