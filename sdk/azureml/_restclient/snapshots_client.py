"""Assign SNAPSHOT_MAX_SIZE_BYTES or SNAPSHOT_MAX_FILES here to raise the limits of snapshots."""

import sys

from atelier.snapshots import LimitsModule

sys.modules[__name__].__class__ = LimitsModule
