"""Which files of a folder are part of a snapshot; git itself is the judge."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from atelier.ignore import walk

NAMES = st.sampled_from(["a", "b", "ab", "data", "data.csv", "x.txt", "y.log", "Z", "a b", ".env", "äö", "#n", "!k"])
PATHS = st.lists(NAMES, min_size=1, max_size=3).map("/".join)
PIECES = st.sampled_from(
    [
        "a",
        "b",
        "*",
        "**",
        "?",
        "data",
        "*.csv",
        "*.log",
        "[a-b]",
        "x.txt",
        "a*",
        "äö",
        "Z",
        "a b",
        ".env",
        "\\#n",
        "\\!k",
    ]
)
PATTERNS = st.builds(
    lambda negated, start, pieces, end: ("!" if negated else "") + start + "/".join(pieces) + end,
    st.booleans(),
    st.sampled_from(["", "/", "**/"]),
    st.lists(PIECES, min_size=1, max_size=3),
    st.sampled_from(["", "/", "/**", "  ", "/*"]),
)


def made(folder: Path, paths: list[str]) -> None:
    for path in paths:
        file = folder / path
        if any(parent.is_file() for parent in file.parents) or file.is_dir():
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")


def of_git(folder: Path) -> set[str]:
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    git = ["git", "-C", str(folder), "-c", "core.quotepath=false"]
    subprocess.run([*git, "init", "-q"], check=True, env=environment)
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--others", "--exclude-standard"], check=True, env=environment, capture_output=True
    )
    return {name for name in listed.stdout.decode().split("\0") if name}


def kept(folder: Path) -> set[str]:
    return {path for path, _ in walk(folder)}


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(paths=st.lists(PATHS, min_size=1, max_size=10), patterns=st.lists(PATTERNS, max_size=5))
def test_a_snapshot_keeps_what_git_would_keep(paths: list[str], patterns: list[str]):
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made(folder, paths)
        (folder / ".gitignore").write_text("\n".join(patterns) + "\n")
        assert kept(folder) == of_git(folder)


@pytest.mark.parametrize(
    ("patterns", "stays", "goes"),
    [
        ("scratch/\n*.env\n", {"train.py", ".gitignore"}, {"scratch/big.tmp", "secret.env"}),
        ("/data\n", {"src/data/keep.csv", ".gitignore"}, {"data/all.csv"}),
        ("*\n!train.py\n!src/\n!src/**\n", {"train.py", "src/a.py"}, {"notes.md", ".gitignore"}),
        ("data/\n!data/small.csv\n", {".gitignore"}, {"data/small.csv"}),
        ("data/*\n!data/small.csv\n", {"data/small.csv", ".gitignore"}, {"data/big.csv"}),
        ("# a comment\n\n\\#file\n", {"a", ".gitignore"}, {"#file"}),
    ],
)
def test_patterns_mean_what_gitignore_says(patterns: str, stays: set[str], goes: set[str], tmp_path: Path):
    made(tmp_path, sorted(stays | goes))
    (tmp_path / ".gitignore").write_text(patterns)
    assert kept(tmp_path) == stays == of_git(tmp_path)


def test_amlignore_counts_alone_when_both_exist(tmp_path: Path):
    made(tmp_path, ["train.py", "notes.md", "data.csv"])
    (tmp_path / ".gitignore").write_text("train.py\n")
    (tmp_path / ".amlignore").write_text("data.csv\n")
    assert kept(tmp_path) == {"train.py", "notes.md", ".gitignore", ".amlignore"}


def test_an_ignore_file_below_the_root_does_not_count(tmp_path: Path):
    made(tmp_path, ["src/a.py"])
    (tmp_path / "src" / ".gitignore").write_text("a.py\n")
    assert "src/a.py" in kept(tmp_path)


def test_links_are_followed_and_never_round_in_circles(tmp_path: Path):
    outside = tmp_path / "outside"
    made(outside, ["shared.py"])
    folder = tmp_path / "project"
    made(folder, ["a/train.py"])
    (folder / "linked").symlink_to(outside)
    (folder / "a" / "again").symlink_to(folder)
    (folder / "nowhere").symlink_to(tmp_path / "absent")
    assert kept(folder) == {"a/train.py", "linked/shared.py"}


def test_repositories_caches_pipes_and_sockets_are_left_out(tmp_path: Path):
    made(tmp_path, ["train.py", ".git/config", "__pycache__/train.pyc", "src/.ipynb_checkpoints/x"])
    os.mkfifo(tmp_path / "pipe")
    assert kept(tmp_path) == {"train.py"}
