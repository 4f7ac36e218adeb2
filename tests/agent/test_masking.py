"""Secrets don't reach a log, however a stream is cut."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from atelier_jobs.agent.masking import Mask, secrets_of

SECRETS = ["hunter2-hunter2", "hunter2-hunter2-longer", "aaaaaaaa"]


def test_the_names_of_variables_tell_which_values_are_secret():
    variables = {"HF_TOKEN": "t0ken-value", "DB_PASSWORD": "pässword", "api_key": "k3y-value", "COLOUR": "blue-green", "X_SECRET": "on",
                 "MY_SECRET_THING": "thing-thing"}  # fmt: skip
    assert secrets_of(variables, ["run-token"]) == sorted(
        ["t0ken-value", "pässword", "k3y-value", "thing-thing", "run-token"]
    )


@given(
    st.lists(st.sampled_from([*SECRETS, "hunter", "2-", "a", "aaa", "\n", "x"]), max_size=12),
    st.lists(st.integers(1, 9), min_size=1),
)
@example(["hunter2-hunter2", "-longer"], [1])
def test_a_stream_in_pieces_is_masked_as_the_whole_would_be(words, cuts):
    whole = "".join(words).encode()
    mask = Mask(SECRETS)
    sent, got, at = 0, b"", 0
    while sent < len(whole):
        end = min(len(whole), max(sent + 1, sent + cuts[at % len(cuts)]))
        at += 1
        while True:  # more is written until something may go
            data = whole[sent:end]
            back = 0 if end == len(whole) else mask.held_back(data)
            if len(data) > back or end == len(whole):
                break
            end += 1
        got += mask(data[: len(data) - back])
        sent += len(data) - back
    assert len(got) == len(whole)
    for secret in SECRETS:
        assert secret.encode() not in got
    visible = bytes(b if c == ord("*") else c for b, c in zip(whole, got, strict=True))
    assert visible == whole


def test_a_private_key_is_masked_line_by_line():
    mask = Mask(["-----BEGIN-----\nc2VjcmV0\n-----END-----"])
    assert mask(b"key: c2VjcmV0 here") == b"key: ******** here"
