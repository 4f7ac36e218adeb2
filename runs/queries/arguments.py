"""What a script was given: its arguments as names and values, for pages, columns and comparisons. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_OPTION = re.compile(r"^--?[A-Za-z][\w.-]*")


def pairs(arguments: Sequence[Any] | None) -> list[tuple[str, str]]:
    """The command line as (name, value): "--rate 0.1" and "--rate=0.1" are ("--rate", "0.1").

    A flag without a value is (name, ""); an argument that belongs to no option is (its place, itself), counted from 1.
    """
    found: list[tuple[str, str]] = []
    words = [str(argument) for argument in arguments or []]
    place = 0
    while place < len(words):
        word = words[place]
        if not _OPTION.match(word):
            found.append((f"argument {place + 1}", word))
        elif "=" in word:
            name, _, value = word.partition("=")
            found.append((name, value))
        elif place + 1 < len(words) and not _OPTION.match(words[place + 1]):
            found.append((word, words[place + 1]))
            place += 1
        else:
            found.append((word, ""))
        place += 1
    return found


def named(arguments: Sequence[Any] | None) -> dict[str, str]:
    """The same by name, without the leading dashes; of a repeated option the last counts, as argparse has it."""
    return {name.lstrip("-"): value for name, value in pairs(arguments)}


def typed(text: str) -> int | float | str:
    """The number that a text is, else the text: columns of numbers sort and draw as numbers."""
    for kind in (int, float):
        try:
            value = kind(text)
        except (ValueError, OverflowError):
            continue
        return value if value == value and abs(value) != float("inf") else text
    return text
