"""What the tab shows of the chosen file: a log, or a preview of its kind, capped."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import orjson
from django.http import HttpRequest

from runs.models import Run
from runs.pages.filetree import first_file, is_log, tree_of
from runs.pages.previews import preview
from runs.pages.tab import Context
from runs.pages.tabs.outputs import logs
from runs.queries.files import RunFile, file_of, files_of
from studio.errors import NotFound

LISTED = 5000
PREVIEW = 128 * 1024
MOST = 8 * 1024**2
JSON = (".json", ".ipynb")
IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp", ".ico", ".avif")
DOCUMENTS = (".html", ".htm", ".pdf")


def _shown(request: HttpRequest, run: Run, file: RunFile) -> dict[str, Any]:
    name = file.path.rpartition("/")[2]
    lower = name.lower()
    if is_log(file.path):
        return _log(request, run, file)
    if lower.endswith(IMAGES) or lower.endswith(".svg"):
        return {"kind": "image"}
    if lower.endswith(DOCUMENTS):
        return {"kind": "document" if lower.endswith((".html", ".htm")) else "binary"}
    asked = request.GET.get("show", "")
    limit = min(MOST, int(asked)) if asked.isdigit() and len(asked) < 12 else PREVIEW
    limit = max(limit, PREVIEW)
    data = _laid_out(file) if lower.endswith(JSON) and file.size <= MOST else None
    data, size = (file.read(0, limit), file.size) if data is None else (data[:limit], len(data))
    whole = len(data) >= size
    shown = preview(name, data, whole)
    if not whole and shown["kind"] != "binary":
        shown |= {"capped": len(data), "of": size, "more": min(MOST, len(data) * 4) if len(data) < MOST else None}
    return shown


def _laid_out(file: RunFile) -> bytes | None:
    """JSON with a line for each value; None for what is none. A part of a file that is one long line can't be read."""
    try:
        return orjson.dumps(orjson.loads(file.read()), option=orjson.OPT_INDENT_2)
    except orjson.JSONDecodeError:
        return None


def _log(request: HttpRequest, run: Run, file: RunFile) -> dict[str, Any]:
    final = run.is_final or not file.live
    query, find, before = request.GET.get("q", "").strip(), request.GET.get("find", ""), request.GET.get("before", "")
    if find:
        part = logs.around(file, find, final=final)
    elif request.GET.get("line", "").isdigit():
        part = _at_line(file, int(request.GET["line"]), final)
    elif before.isdigit() and int(before):
        end = min(int(before), file.size)
        part = logs.window(file, max(0, end - logs.WINDOW), end, whole_last=False)
    else:
        part = logs.last_window(file, final=final)
    hits, more_hits = logs.search(file, query) if query else ([], False)
    at_end = part.end >= file.size or not final
    return {
        "kind": "log",
        "window": part,
        "search": query,
        "hits": hits,
        "more_hits": more_hits,
        "follows": not final and not before and not find,
        "tail_version": f"{file.size}-{run.is_final}",
        "at_end": at_end,
    }


def _at_line(file: RunFile, number: int, final: bool) -> logs.Window:
    """The window in which the line ``number`` lies a little below the top."""
    at, count = 0, 0
    for piece in file.pieces():
        lines = piece.count(b"\n")
        if count + lines >= number - 1:
            place = -1
            for _ in range(number - 1 - count):
                place = piece.find(b"\n", place + 1)
            at += place + 1
            break
        count, at = count + lines, at + len(piece)
    start = max(0, min(at, file.size) - logs.WINDOW // 4)
    return logs.window(file, start, min(file.size, start + logs.WINDOW), whole_last=final)


def context(request: HttpRequest, run: Run) -> Context:
    """The tree and the chosen file."""
    files = files_of(run, LISTED)
    wanted = request.GET.get("file") or first_file([file.path for file in files])
    found, missing = None, ""
    if wanted:
        found = next((file for file in files if file.path == wanted), None)
        try:
            found = found or file_of(run, wanted)
        except NotFound as error:
            missing = error.message
    return {
        "files": files,
        "tree": tree_of([(file.path, file.size) for file in files], wanted),
        "chosen": found,
        "missing": missing,
        "file_query": urlencode({"file": wanted}),
        "shown": _shown(request, run, found) if found else None,
        "total": sum(file.size for file in files),
        "capped_list": len(files) >= LISTED,
    }
