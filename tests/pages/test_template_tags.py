"""The words of times, sizes and numbers; what Markdown may hold."""

from __future__ import annotations

import datetime as dt
from html.parser import HTMLParser

import pytest
from django.template import Context, Template
from django.utils import timezone

from studio.template_tags import duration, filesize, markdown, number, so_far


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.34, "340 ms"),
        (3.25, "3.2 s"),
        (59.99, "59.9 s"),
        (245, "4 m 05 s"),
        (7980, "2 h 13 m"),
        (273600, "3 d 04 h"),
        (None, "–"),
        (-4, "0 ms"),
    ],
)
def test_a_duration_is_said_in_the_two_units_that_matter(seconds, words):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.9, "0 s"), (25.7, "25 s"), (245, "4 m 05 s"), (None, "–"), (-3, "0 s")]
)
def test_what_still_goes_on_is_counted_in_whole_seconds(seconds, words):
    assert so_far(seconds) == words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (1_440_000, "1.4 MB"), (123_456_789, "123 MB"), (None, "–")],
)
def test_sizes_are_decimal_and_short(size, words):
    assert filesize(size) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0.1 + 0.2, "0.3"),
        (3.0, "3"),
        (float("nan"), "NaN"),
        (float("-inf"), "−∞"),
        (True, "True"),
        (12, "12"),
        (1e-9, "1e-09"),
        ("text", "text"),
    ],
)
def test_numbers_read_as_people_write_them(value, words):
    assert number(value) == words


@pytest.mark.parametrize(
    ("back", "words"),
    [
        (2, "just now"),
        (61, "1 minute ago"),
        (7200, "2 hours ago"),
        (86400 * 40, "1 month ago"),
        (86400 * 800, "2 years ago"),
        (-300, "in 4 minutes"),
    ],
)
def test_a_relative_time_has_the_exact_one_on_hover(back, words):
    when = timezone.now() - dt.timedelta(seconds=back)
    html = Template("{% ago when %}").render(Context({"when": when}))
    assert f">{words}</time>" in html
    assert f'title="{when.strftime("%Y-%m-%d %H:%M:%S UTC")}"' in html


class Tags(HTMLParser):
    """The tags that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[tuple[str, str | None]]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, attrs))


@pytest.mark.parametrize(
    "attack",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        '<a href="data:text/html,x">x</a>',
        "<style>*{display:none}</style>",
        "![x](data:image/svg+xml,<svg/onload=alert(1)>)",
    ],
)
def test_markdown_of_users_holds_nothing_that_runs(attack):
    tags = Tags()
    tags.feed(markdown(attack))
    for name, attributes in tags.found:
        assert name not in ("script", "style", "iframe", "svg")
        assert not any(
            key.startswith("on") or (value or "").split(":")[0] in ("javascript", "data") for key, value in attributes
        )


def test_markdown_shows_tables_and_emphasis():
    html = markdown("**bold**\n\n| a | b |\n|---|---|\n| 1 | 2 |")
    assert "<strong>bold</strong>" in html and "<td>1</td>" in html


def test_an_unknown_state_is_shown_escaped():
    html = Template("{% pill state %}").render(Context({"state": "<b>odd</b>"}))
    assert "&lt;b&gt;odd" in html
