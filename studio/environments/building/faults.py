"""What a failed build tells people: the one thing to change, in a sentence."""

from __future__ import annotations

import re

from studio.errors import StudioError

ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class BuildError(StudioError):
    """The build ended without a result; the message says why and what to do. `retry` when another try may do better."""

    def __init__(self, message: str, *, retry: bool = False) -> None:
        super().__init__(message)
        self.retry = retry


class Cancelled(StudioError):
    """Nobody waits for this build any more, or another worker took it over."""


def explain(output: str) -> str:
    """The sentence in an installer's output, or "" when it says nothing that we know."""
    text = ANSI.sub("", output)
    for reader in (_disk, _python, _index, _unsolvable, _not_built, _no_shell):
        if sentence := reader(text):
            return sentence
    return ""


def _flat(text: str) -> str:
    return " ".join(text.replace("│", " ").split()).rstrip(".")


def _disk(text: str) -> str:
    if re.search(r"no space left on device|disk quota exceeded", text, re.IGNORECASE):
        return "The disk is full: the environment could not be written. Prune images on the Environments page, or free space."
    return ""


def _python(text: str) -> str:
    found = re.search(r"^Python [^\n]* can't be had [^\n]*$", text, re.MULTILINE)
    return found.group(0).strip() if found else ""


def _index(text: str) -> str:
    if found := re.search(r"The package index \S+ (does not answer|answers \d+)[^\n]*", text):
        return _flat(found.group(0)) + ". The packages can't be fetched until it does."
    found = re.search(r"(?:Failed to fetch|error sending request for url|Request failed after \d+ retries)[^\n]*", text)
    if found or "dns error" in text:
        what = re.search(r"(?:Failed to fetch: `|for url \()([^`)]+)", text)
        where = re.sub(r"//[^/@]*@", "//", what.group(1)) if what else "the package index"
        return f"{where} does not answer, so the packages can't be fetched. Check the network and ATELIER_INDEX_URL."
    return ""


def _unsolvable(text: str) -> str:
    found = re.search(r"No solution found when resolving[^\n]*\n(.*?)(?:\n\s*\n|\n\s*hint:|\Z)", text, re.DOTALL)
    if found:
        reason = re.sub(r"^cause: ", "", _flat(re.sub(r"╰─▶|├─▶|×", " ", found.group(1))))
        reason = reason[:1].lower() + reason[1:]
        return f"The packages can't be installed: {reason}."
    if found := re.search(r"Because (.+?) was not found in the package registry", text, re.DOTALL):
        return f"The packages can't be installed: {_flat(found.group(1))} is on no package index of this site."
    if found := re.search(r"The conda packages can't be solved: .*", text, re.DOTALL):
        return _flat(found.group(0))[:2000] + "."
    return ""


def _not_built(text: str) -> str:
    if found := re.search(r"Failed to (?:build|download and build) `?([^`\n]+)`?", text):
        error = re.findall(r"^\s*(?:error: |[A-Za-z]*Error: )[^\n]+", text, re.MULTILINE)
        why = f" ({_flat(error[-1])})" if error else ""
        return f"{found.group(1)} has no wheel for this Python and could not be built from its source{why}. The build log has the details."
    return ""


def _no_shell(text: str) -> str:
    if re.search(r'exec: "?/bin/sh"?: stat /bin/sh: no such file', text):
        return "The base image has no shell, so nothing can be installed in it; use one with /bin/sh and Python."
    return ""
