"""A live server for the tests of execution."""

from __future__ import annotations

import pytest

from tests.execution.live import Live
from tests.stack import Stack


@pytest.fixture
def live(stack: Stack) -> Live:
    """The session's server."""
    return Live(stack)
