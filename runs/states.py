"""The states of a run, which may follow which, and what each means. Standard library only.

Names and order are those of the v1 SDK, so that scripts that compare `run.get_status()` with a text go on working.
"""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """Where a run is. CancelRequested is not stored: it is a run with a cancel's time that is not final yet."""

    NOT_STARTED = "NotStarted"
    STARTING = "Starting"
    PROVISIONING = "Provisioning"
    PREPARING = "Preparing"
    QUEUED = "Queued"
    RUNNING = "Running"
    FINALIZING = "Finalizing"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    NOT_RESPONDING = "NotResponding"


CANCEL_REQUESTED = "CancelRequested"

MEANING = {
    State.NOT_STARTED: "Submitted; no worker has looked at it yet.",
    State.STARTING: "A worker has taken it up.",
    State.PROVISIONING: "Waits for its compute to have room or to scale up.",
    State.PREPARING: "Its environment is looked up or built.",
    State.QUEUED: "Its container or process is being started.",
    State.RUNNING: "The script runs.",
    State.FINALIZING: "The script has ended; outputs and logs are uploaded.",
    State.COMPLETED: "Ended well.",
    State.FAILED: "Ended with an error, which the page shows.",
    State.CANCELED: "Stopped because someone asked.",
    State.NOT_RESPONDING: "Its job vanished and nothing more was heard of it.",
}

_FORWARD = [
    State.NOT_STARTED,
    State.STARTING,
    State.PROVISIONING,
    State.PREPARING,
    State.QUEUED,
    State.RUNNING,
    State.FINALIZING,
]
FINAL = frozenset({State.COMPLETED, State.FAILED, State.CANCELED, State.NOT_RESPONDING})
# Before the first line of user code a run may also be put back: its node was lost, or its gang did not come up.
_BACK = {
    State.PREPARING: {State.PROVISIONING},
    State.QUEUED: {State.PROVISIONING},
    # A lost host, with max_retries left; of one that ended its script, what it made is lost with it.
    State.RUNNING: {State.PROVISIONING},
    State.FINALIZING: {State.PROVISIONING},
}
MOVES: dict[State, frozenset[State]] = {
    state: frozenset(_FORWARD[at + 1 :]) | FINAL | frozenset(_BACK.get(state, ())) for at, state in enumerate(_FORWARD)
} | {state: frozenset() for state in FINAL}
# A job that was given up for lost may still report: the truth wins.
MOVES[State.NOT_RESPONDING] = frozenset({State.COMPLETED, State.FAILED, State.CANCELED})

NOT_FINAL = tuple(state for state in _FORWARD)


def is_final(state: str) -> bool:
    """Whether nothing more happens to a run in this state."""
    return state in FINAL


def may_move(old: str, new: str) -> bool:
    """Whether `new` may follow `old`."""
    return State(new) in MOVES[State(old)]
