"""A log in windows of whole lines: the end first, earlier ones on request, new ones as they come; and its search.

A window begins and ends at a line's end, so that nothing is shown twice or torn. Line numbers count from the file's
start, so that a link to a line holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils.safestring import SafeString, mark_safe

from runs.models import Run
from runs.pages.tab import Context
from runs.pages.tabs.outputs.ansi import Style, line_html
from runs.queries.files import RunFile, file_of

WINDOW = 128 * 1024
FOUND = 200
LONGEST = 4000
"""A line of more characters is cut on the page; the file has it whole."""
_LEVEL = re.compile(
    r"\b(?:ERROR|CRITICAL|FATAL|WARNING|WARN)\b|Traceback \(most recent call last\)|^\w*(?:Error|Exception)\b"
)


@dataclass(frozen=True)
class Line:
    """One line: its number from 1, HTML, and tone ("", "warn", "bad")."""

    number: int
    html: SafeString
    tone: str
    found: bool = False


@dataclass(frozen=True)
class Window:
    """Lines between two offsets of a file: ``start`` and ``end`` in bytes, ``first`` the first line's number."""

    lines: list[Line]
    start: int
    end: int
    first: int

    @property
    def html(self) -> SafeString:
        """The lines as list items. Joined here: a template takes ten times as long for thousands of them."""
        return mark_safe("\n".join(map(_item, self.lines)))


def _item(line: Line) -> str:
    number = line.number
    names = " ".join(name for name in (line.tone, "found" if line.found else "") if name)
    classes = f' class="{names}"' if names else ""
    mark = '<span id="found"></span>' if line.found else ""
    return (
        f'<li id="L{number}" value="{number}"{classes}>{mark}'
        f'<a class="line" href="#L{number}" tabindex="-1" aria-label="Line {number}">{number}</a><code>{line.html}</code></li>'
    )


def _tone(line: str) -> str:
    found = _LEVEL.search(line)
    if found is None:
        return ""
    return "warn" if found[0].startswith("WARN") else "bad"


def _lines(text: str, first: int, find: str = "") -> list[Line]:
    style, made = Style(), []
    for number, line in enumerate(text.split("\n"), first):
        cut = line if len(line) <= LONGEST else line[:LONGEST] + " … (cut; download the file to read on)"
        html, style = line_html(cut, style)
        made.append(Line(number, mark_safe(html), _tone(line), bool(find) and find in line))
    return made


def _newlines_before(file: RunFile, offset: int) -> int:
    """How many lines end before ``offset``: the file is read for it, a megabyte at a time."""
    count, at = 0, 0
    while at < offset:
        piece = file.read(at, min(1 << 20, offset - at))
        if not piece:
            break
        count, at = count + piece.count(b"\n"), at + len(piece)
    return count


def window(file: RunFile, start: int, end: int, *, whole_last: bool = True, find: str = "") -> Window:
    """The whole lines within [start, end): a torn first line is left to the window before, a torn last one to the next.

    ``whole_last``: the file's end ends the last line (nothing more will come).
    """
    data = file.read(start, end - start)
    if start:
        before = file.read(start - 1, 1)
        if before != b"\n":
            cut = data.find(b"\n") + 1
            start, data = start + cut, data[cut:]
    complete = start + len(data) >= file.size and whole_last
    if not complete:
        cut = data.rfind(b"\n") + 1
        if cut == 0 and len(data) >= WINDOW:
            cut = len(data)  # one line larger than the window: shown in pieces rather than never
        data = data[:cut]
    first = _newlines_before(file, start) + 1
    text = data.decode("utf-8", "replace")
    if text.endswith("\n"):
        text = text[:-1]
    return Window(_lines(text, first, find) if data else [], start, start + len(data), first)


def last_window(file: RunFile, *, final: bool, find: str = "") -> Window:
    """The end of the file."""
    return window(file, max(0, file.size - WINDOW), file.size, whole_last=final, find=find)


def offset_of(file: RunFile, needle: str) -> int | None:
    """Where the last occurrence of ``needle`` begins, None when the file lacks it."""
    sought, found, at, kept = needle.encode(), None, 0, b""
    for piece in file.pieces():
        block = kept + piece
        place = block.rfind(sought)
        if place >= 0:
            found = at - len(kept) + place
        at, kept = at + len(piece), block[-(len(sought) - 1) :] if len(sought) > 1 else b""
    return found


def around(file: RunFile, needle: str, *, final: bool) -> Window:
    """The window with the last occurrence of ``needle`` in its middle; the file's end when it is not there."""
    place = offset_of(file, needle)
    if place is None:
        return last_window(file, final=final)
    start = max(0, place - WINDOW // 2)
    return window(file, start, min(file.size, start + WINDOW), whole_last=final, find=needle)


def search(file: RunFile, wanted: str) -> tuple[list[dict[str, Any]], bool]:
    """([{number, text}] of lines that hold ``wanted``, upper or lower case, whether there are more)."""
    found: list[dict[str, Any]] = []
    sought, number, kept = wanted.lower(), 0, b""
    for piece in file.pieces():
        *lines, kept = (kept + piece).split(b"\n")
        for line in lines:
            number += 1
            text = line.decode("utf-8", "replace")
            if sought in text.lower():
                if len(found) == FOUND:
                    return found, True
                found.append({"number": number, "text": line_html(text[:LONGEST], Style())[0]})
    text = kept.decode("utf-8", "replace")
    if text and sought in text.lower():
        found.append({"number": number + 1, "text": line_html(text[:LONGEST], Style())[0]})
    for hit in found:
        hit["text"] = mark_safe(hit["text"])
    return found, False


def _offset(request: HttpRequest, name: str) -> int:
    text = request.GET.get(name, "")
    return int(text) if text.isdigit() else 0


def tail_version(request: HttpRequest, run: Run) -> str:
    """The size that the log has: nothing new, nothing sent. Empty where no log is followed."""
    if request.GET.get("part") != "tail":
        return ""
    return f"{file_of(run, request.GET.get('file', '')).size}-{run.is_final}"


def tail_context(request: HttpRequest, run: Run) -> Context:
    """The lines from ?offset= on."""
    file = file_of(run, request.GET.get("file", ""))
    offset = min(_offset(request, "offset"), file.size)
    final = run.is_final or not file.live
    part = window(file, offset, min(file.size, offset + WINDOW), whole_last=final)
    more = part.end < file.size
    return {
        "file": file,
        "window": part,
        "goes_on": not final or (final and more),
        "version": f"{file.size}-{run.is_final}",
    }
