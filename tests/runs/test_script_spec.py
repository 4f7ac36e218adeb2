"""What a script run asks for is checked whole before anything is written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runs.kinds.script.spec import check
from studio.errors import Invalid


def test_a_plain_script_gets_the_defaults_of_v1():
    spec = check({"script": "train.py", "arguments": ["--rate", 0.1]}, {"train.py"})
    assert (spec.target, spec.max_run_duration_seconds, spec.node_count, spec.shm_size) == ("local", 2_592_000, 1, "2g")
    assert spec.arguments == ["--rate", "0.1"] and spec.distribution is None


def test_a_script_that_is_not_in_the_folder_is_named():
    with pytest.raises(Invalid, match=r"'trian\.py'"):
        check({"script": "trian.py"}, {"train.py"})


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        ({}, "script"),
        ({"script": "a.py", "maxRunDurationSeconds": 0}, "maxRunDurationSeconds"),
        ({"script": "a.py", "nodeCount": "many"}, "nodeCount"),
        ({"script": "a.py", "arguments": [{"a": 1}]}, "arguments"),
        ({"script": "a.py", "communicator": "smoke"}, "communicator"),
        (
            {"script": "a.py", "communicator": "Gloo", "nodeCount": 2, "pyTorch": {"processCount": 3}},
            "pyTorch.processCount",
        ),
        ({"script": "a.py", "environmentVariables": {"A=B": "1"}}, "environmentVariables"),
        ({"script": "a\x00.py"}, "script"),
        ("text", "definition"),
    ],
)
def test_the_key_at_fault_is_named(raw, field):
    with pytest.raises(Invalid) as refused:
        check(raw)
    assert refused.value.field == field


def test_the_three_ways_of_distribution_have_their_world_size():
    mpi = check(
        {"script": "a.py", "communicator": "OpenMpi", "nodeCount": 2, "mpi": {"processCountPerNode": 2}}
    ).distribution
    torch = check(
        {"script": "a.py", "communicator": "Gloo", "nodeCount": 2, "pyTorch": {"processCount": 4}}
    ).distribution
    flow = check(
        {
            "script": "a.py",
            "framework": "TensorFlow",
            "communicator": "ParameterServer",
            "tensorflow": {"workerCount": 2, "parameterServerCount": 1},
        }
    )
    assert (mpi.kind, mpi.processes) == ("mpi", 4)
    assert (torch.kind, torch.processes_per_node, torch.backend) == ("pytorch", 2, "gloo")
    assert (flow.distribution.processes, flow.node_count) == (3, 3)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    )
)
def test_any_json_is_taken_or_refused_with_a_sentence(raw):
    try:
        check(raw)
    except Invalid as refused:
        assert refused.message.endswith(".")
