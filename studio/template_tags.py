"""What every template may use without loading it: times, durations, sizes, numbers, the pill of a state, icons, Markdown.

Settings name this module as a builtin of the template engine, so a page needs no ``{% load %}``.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import nh3
from django import template
from django.http import QueryDict
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

register = template.Library()

# State (of a run, a build, a node …) -> (class of the pill, words shown). The class is one of four tones.
TONES = {
    "Completed": "ok",
    "Succeeded": "ok",
    "Ready": "ok",
    "Steady": "ok",
    "Failed": "bad",
    "NotResponding": "bad",
    "Unusable": "bad",
    "Canceled": "idle",
    "CancelRequested": "busy",
    "NotStarted": "idle",
    "Idle": "idle",
    "Stopped": "idle",
    "Starting": "busy",
    "Provisioning": "busy",
    "Preparing": "busy",
    "Queued": "busy",
    "Running": "busy",
    "Finalizing": "busy",
    "Building": "busy",
    "Creating": "busy",
    "Resizing": "busy",
    "Updating": "busy",
    "Deleting": "busy",
    "Leaving": "busy",
}
WORDS = {
    "NotStarted": "Not started",
    "NotResponding": "Not responding",
    "CancelRequested": "Cancel requested",
}
STEPS = (
    (60, 1, "second"),
    (3600, 60, "minute"),
    (86400, 3600, "hour"),
    (2592000, 86400, "day"),
    (31536000, 2592000, "month"),
    (math.inf, 31536000, "year"),
)
UNITS = ("B", "kB", "MB", "GB", "TB", "PB")


@register.filter
def state_words(state: object) -> str:
    """A state as people read it: 'Not started'."""
    return WORDS.get(str(state), str(state))


@register.simple_tag
def pill(state: object) -> SafeString:
    """The coloured word for a state: ``{% pill run.state %}``. Unknown states are shown as they are, in grey."""
    name = str(state or "Unknown")
    return format_html('<span class="pill {}">{}</span>', TONES.get(name, "idle"), WORDS.get(name, name))


def _words_ago(seconds: float) -> str:
    """'just now', '5 minutes ago', 'in 2 hours'; the same words as static/js/times.js."""
    size = abs(seconds)
    if size < 10:
        return "just now"
    unit, word = next((unit, word) for limit, unit, word in STEPS if size < limit)
    count = int(size // unit)
    words = f"{count} {word}{'' if count == 1 else 's'}"
    return f"in {words}" if seconds < 0 else f"{words} ago"


@register.simple_tag
def ago(when: datetime | None, empty: str = "–") -> SafeString | str:
    """A relative time whose exact value (UTC) shows on hover: ``{% ago run.created_at %}``."""
    if when is None:
        return empty
    exact = when.astimezone(UTC)
    return format_html(
        '<time class="ago" datetime="{}" title="{}">{}</time>',
        exact.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        exact.strftime("%Y-%m-%d %H:%M:%S UTC"),
        _words_ago((timezone.now() - when).total_seconds()),
    )


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Seconds (or a timedelta) as '340 ms', '3.2 s', '4 m 05 s', '2 h 13 m', '3 d 04 h'."""
    if value is None or value == "":
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    if seconds < 0:
        seconds = 0.0
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{math.floor(seconds * 10) / 10:.1f} s"
    whole = int(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02d} h"


@register.filter
def so_far(value: timedelta | float | None) -> str:
    """The time of what still goes on, in whole seconds as static/js/times.js counts them on: '25 s', '4 m 05 s'."""
    if value is None:
        return "–"
    seconds = value.total_seconds() if isinstance(value, timedelta) else float(value)
    return f"{int(max(0.0, seconds))} s" if seconds < 60 else duration(seconds)


@register.filter
def filesize(count: int | None) -> str:
    """Bytes as '512 B', '1.4 MB' (decimal units, as the disks and the network count)."""
    if count is None or count == "":
        return "–"
    size = float(count)
    for unit in UNITS:
        if size < 1000 or unit == UNITS[-1]:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    raise AssertionError("unreachable: the last unit always returns")


@register.filter
def number(value: Any) -> str:
    """A metric as people read it: six significant digits, no trailing zeros, 'NaN' and '∞' in words; text as it is."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, int):
        return str(value) if abs(value) < 10**15 else f"{value:.6g}"
    if isinstance(value, float):
        if math.isnan(value):
            return "NaN"
        if math.isinf(value):
            return "∞" if value > 0 else "−∞"
        if value.is_integer() and abs(value) < 10**15:
            return str(int(value))
        return f"{value:.6g}"
    return str(value)


@register.filter
def lookup(mapping: Mapping[Any, Any] | None, key: Any) -> Any:
    """``{{ row.metrics|lookup:name }}``: a value by a key that is itself a variable; None when absent."""
    return mapping.get(key) if mapping else None


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """An icon of static/icons.svg; decorative unless a label is given."""
    href = f"{static('icons.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, href)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', href)


@register.simple_tag
def copy_button(text: str, what: str = "") -> SafeString:
    """A button that copies text; shown only where JavaScript runs (static/js/page.js)."""
    return format_html(
        '<button type="button" class="button quiet small copy" data-copy="{}" aria-label="Copy {}" title="Copy" hidden>{}</button>',
        text,
        what or text,
        icon("copy"),
    )


@register.simple_tag(takes_context=True)
def current(context: template.Context, prefix: str, exact: bool = False) -> SafeString | str:
    """``aria-current="page"`` when the page's address is, or lies under, ``prefix``."""
    request = context.get("request")
    if request is None:
        return ""
    here = request.path == prefix if exact else request.path.startswith(prefix)
    return mark_safe('aria-current="page"') if here else ""


@register.simple_tag(takes_context=True)
def here_with(context: template.Context, **changes: Any) -> str:
    """The query string of this page with some parameters changed (None removes one): ``?sort=name&page=2``."""
    request = context.get("request")
    query = request.GET.copy() if request is not None else QueryDict(mutable=True)
    for key, value in changes.items():
        if value is None or value == "":
            query.pop(key, None)
        else:
            query[key] = value
    return "?" + query.urlencode()


_markdown = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])


@register.filter
def markdown(text: str | None) -> SafeString:
    """Markdown as HTML that has been cleaned: no script, no style, links open without a referrer."""
    cleaned = nh3.clean(
        _markdown.render(text or ""),
        tags=nh3.ALLOWED_TAGS - {"style", "script"},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
    return mark_safe(cleaned)


@register.filter
def plain(value: float) -> str:
    """A coordinate for SVG: a point for the decimal mark, whatever the language."""
    return f"{value:g}"


@register.simple_tag
def run_duration(run: Any) -> SafeString | str:
    """How long something with started_at and ended_at took; counts on while it goes on."""
    if run.started_at is None:
        return "–"
    if run.ended_at is not None:
        return duration(run.ended_at - run.started_at)
    words = so_far(timezone.now() - run.started_at)
    return format_html('<span data-since="{}">{}</span>', run.started_at.isoformat(), words)


@register.filter
def thousands(count: int | None) -> str:
    """A count with separators: 1,000,000."""
    return "–" if count is None else f"{count:,}"


@register.filter
def shallow(depth: int) -> int:
    """A depth for indentation: beyond six levels a table would leave the page."""
    return min(int(depth), 6)


def _query(context: template.Context) -> QueryDict:
    request = context.get("request")
    query = request.GET.copy() if request is not None else QueryDict(mutable=True)
    for key in ("part", "seen"):
        query.pop(key, None)
    return query


@register.simple_tag(takes_context=True)
def here_also(context: template.Context, key: str, value: str) -> str:
    """The query string with one more value of a repeated parameter; the columns on screen stay."""
    query = _query(context)
    for shown in () if key in query else context.get("columns") or ():
        query.appendlist(key, shown)
    query.appendlist(key, value)
    return "?" + query.urlencode()


@register.simple_tag(takes_context=True)
def here_without(context: template.Context, key: str, value: str) -> str:
    """The query string without one value of a repeated parameter."""
    query = _query(context)
    values = query.getlist(key) or list(context.get("columns") or ())
    query.setlist(key, [shown for shown in values if shown != value])
    query["columns"] = "1"
    return "?" + query.urlencode()
