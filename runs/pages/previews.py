"""The first bytes of a file as something to read: source, table, Markdown. Whatever is in it is escaped or cleaned."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_for_filename
from pygments.lexers.diff import DiffLexer
from pygments.lexers.special import TextLexer
from pygments.util import ClassNotFound

from studio.template_tags import markdown

CSV_ROWS = 200
HIGHLIGHTED = 256 * 1024
"""More source than this is shown plain: highlighting costs some ten microseconds a character."""


def text_of(data: bytes) -> str | None:
    """The text, None for bytes that are none."""
    if b"\x00" in data[:8192]:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        # A cut in the middle of a character is no sign of a binary file.
        return data[: error.start].decode() if error.start >= len(data) - 4 else None


def source_html(text: str, name: str) -> str:
    """Highlighted source: spans with classes, no style, every character escaped by pygments."""
    try:
        lexer = get_lexer_for_filename(name, stripnl=False) if len(text) <= HIGHLIGHTED else TextLexer(stripnl=False)
    except ClassNotFound:
        lexer = TextLexer(stripnl=False)
    return _html(text, lexer)


def diff_html(text: str) -> str:
    """A unified diff, lines that went and came in their colours."""
    return _html(text, DiffLexer(stripnl=False))


def _html(text: str, lexer: Any) -> str:
    shape = HtmlFormatter(nowrap=False, linenos=False, cssclass="source")
    return str(highlight(text, lexer, shape))


def preview(name: str, data: bytes, whole: bool) -> dict[str, Any]:
    """{"kind": …} and what that kind needs, of a file's first bytes; ``whole`` when they are all of it."""
    lower = name.lower()
    text = text_of(data)
    if text is None:
        return {"kind": "binary"}
    if lower.endswith((".csv", ".tsv")):
        return {"kind": "table", **_table(text, "\t" if lower.endswith(".tsv") else ",", whole)}
    if lower.endswith((".md", ".markdown")):
        return {"kind": "markdown", "html": markdown(text)}
    if lower.endswith((".json", ".ipynb")) and whole:
        try:
            text = orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
        except orjson.JSONDecodeError:
            return {"kind": "source", "html": source_html(text, "x.txt")}
    return {"kind": "source", "html": source_html(text, name)}


def _table(text: str, separator: str, whole: bool) -> dict[str, Any]:
    lines = text if whole else text.rpartition("\n")[0]
    reader = csv.reader(io.StringIO(lines), delimiter=separator)
    rows: list[list[str]] = []
    try:
        for row in reader:
            rows.append(row)
            if len(rows) > CSV_ROWS:
                break
    except csv.Error:
        pass  # what was readable is shown; the file can be downloaded
    head, body = (rows[0], rows[1 : CSV_ROWS + 1]) if rows else ([], [])
    return {"head": head, "rows": body, "cut": len(rows) > CSV_ROWS or not whole}
