"""Terminal output as HTML: colours and weight by classes, everything else of the escape codes dropped. Pure.

ECMA-48's SGR codes 0, 1, 2, 3, 4, 22-24, 30-37, 39, 40-47, 49, 90-97, 100-107 are shown; of 38/48 (256 colours and RGB, as
xterm has them) the nearest of the eight: classes can be told apart in light and dark, any colour on any ground can't. A
carriage return starts the line anew, as a progress bar does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from django.utils.html import escape

_ESCAPE = re.compile(r"\x1b(?:\[([0-9;:]*)([A-Za-z@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_]|[()][0-9A-B])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")


@dataclass(frozen=True)
class Style:
    """What is switched on. ``text`` is how it travels in an address from one chunk of a log to the next."""

    fore: str = ""
    back: str = ""
    bold: bool = False
    faint: bool = False
    italic: bool = False
    underline: bool = False

    @property
    def classes(self) -> str:
        """The class attribute, empty for plain text."""
        parts = [f"f-{self.fore}" if self.fore else "", f"b-{self.back}" if self.back else ""]
        parts += [name for name in ("bold", "faint", "italic", "underline") if getattr(self, name)]
        return " ".join(f"a-{part}" for part in parts if part)

    def after(self, codes: str) -> Style:
        """The style after an SGR sequence with these parameters."""
        style, waiting = self, [int(c) if c.isdigit() else 0 for c in re.split("[;:]", codes or "0")]
        while waiting:
            code = waiting.pop(0)
            if code in (38, 48):
                skip = 2 if waiting[:1] == [5] else 4 if waiting[:1] == [2] else 0
                name = _nearest(waiting[:skip])
                del waiting[:skip]
                if name:
                    style = replace(style, fore=name) if code == 38 else replace(style, back=name)
            else:
                style = _apply(style, code)
        return style


_SWITCHES: dict[int, dict[str, Any]] = {
    1: {"bold": True},
    2: {"faint": True},
    3: {"italic": True},
    4: {"underline": True},
    22: {"bold": False, "faint": False},
    23: {"italic": False},
    24: {"underline": False},
    39: {"fore": ""},
    49: {"back": ""},
}


def _apply(style: Style, code: int) -> Style:
    if code == 0:
        return Style()
    if code in _SWITCHES:
        return replace(style, **_SWITCHES[code])
    for first, key in ((30, "fore"), (90, "fore"), (40, "back"), (100, "back")):
        if first <= code <= first + 7:
            return (
                replace(style, fore=_NAMES[code - first])
                if key == "fore"
                else replace(style, back=_NAMES[code - first])
            )
    return style


def _nearest(choice: list[int]) -> str:
    """The name of the colour of eight that is nearest to [5, n] or [2, r, g, b]; empty for an incomplete choice."""
    if len(choice) == 2:
        place = min(choice[1], 255)
        if place < 16:
            return _NAMES[place % 8]
        if place >= 232:
            return "white" if place >= 244 else "black"
        place -= 16
        levels = (place // 36, place // 6 % 6, place % 6)
        most = 5
    elif len(choice) == 4:
        levels, most = (choice[1], choice[2], choice[3]), 255
    else:
        return ""
    # A part counts as lit when it is near the brightest one: dark red is red, and not black.
    brightest = max(levels)
    if brightest < most * 0.2:
        return "black"
    red, green, blue = (level > brightest * 0.6 for level in levels)
    return _NAMES[red + 2 * green + 4 * blue]


def _span(text: str, style: Style) -> str:
    safe = escape(_CONTROL.sub("", text))
    return f'<span class="{style.classes}">{safe}</span>' if safe and style.classes else safe


def line_html(line: str, style: Style) -> tuple[str, Style]:
    """(HTML of one line, the style that the next begins with). The text is escaped."""
    if "\r" in line:
        kept = line.rstrip("\r").rpartition("\r")
        for found in _ESCAPE.finditer(kept[0]):
            if found[2] == "m":
                style = style.after(found[1])
        line = kept[2]
    if "\x1b" not in line:
        return _span(line, style), style
    parts, at = [], 0
    for found in _ESCAPE.finditer(line):
        parts.append(_span(line[at : found.start()], style))
        at = found.end()
        if found[2] == "m":
            style = style.after(found[1])
    parts.append(_span(line[at:].replace("\x1b", ""), style))
    return "".join(parts), style
