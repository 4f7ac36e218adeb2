"""A run's state has one door."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs import lifecycle
from runs.models import Run, RunEvent
from runs.states import FINAL, MOVES, State, may_move
from tests import builders


def test_every_move_leaves_an_event_with_its_reason(lab):
    run = builders.run(lab, state=State.NOT_STARTED)
    assert lifecycle.move(run, State.RUNNING, reason="the script runs")
    assert list(run.events.values_list("state", "reason")) == [("NotStarted", ""), ("Running", "the script runs")]
    assert Run.objects.get(pk=run.pk).started_at is not None


def test_of_two_who_move_the_same_run_one_wins(lab):
    run = builders.run(lab, state=State.RUNNING)
    other = Run.objects.get(pk=run.pk)
    assert lifecycle.move(run, State.COMPLETED)
    assert not lifecycle.move(other, State.FAILED)
    assert Run.objects.get(pk=run.pk).state == State.COMPLETED
    assert RunEvent.objects.filter(run=run).count() == 2


@pytest.mark.parametrize("state", sorted(FINAL - {State.NOT_RESPONDING}))
def test_a_final_run_moves_nowhere(lab, state):
    run = builders.run(lab, state=state)
    assert not any(lifecycle.move(run, to) for to in State)


def test_a_run_given_up_for_lost_takes_the_truth_when_it_comes(lab):
    run = builders.run(lab, state=State.NOT_RESPONDING)
    assert lifecycle.move(run, State.COMPLETED, reason="its agent reported after all")


@given(st.sampled_from(list(State)), st.sampled_from(list(State)))
def test_no_state_follows_itself_and_every_open_state_can_fail_and_be_cancelled(old, new):
    assert not may_move(old, old)
    assert (old in FINAL) or {State.FAILED, State.CANCELED} <= MOVES[old]
    assert may_move(old, new) == (new in MOVES[old])


def test_a_tried_again_run_starts_its_clock_anew(lab):
    run = builders.run(lab, state=State.RUNNING)
    assert lifecycle.move(run, State.PROVISIONING, reason="its host was lost")
    assert Run.objects.get(pk=run.pk).started_at is None
