"""Project pages of package indexes: read from several sources, merged into one. Formats: PEP 503 (HTML), PEP 691 (JSON)."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import canonicalize_name

ACCEPT = "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1"


@dataclass(frozen=True)
class Link:
    """A file of a project. `digest` is "sha256=…" or ""; `has_metadata` says that url + ".metadata" is there (PEP 658)."""

    filename: str
    url: str
    digest: str = ""
    requires_python: str = ""
    yanked: str | None = None
    has_metadata: bool = False


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def from_html(text: str, base: str) -> list[Link]:
    """The files of a PEP 503 page whose own address is `base`."""
    parser = _Anchors()
    parser.feed(text)
    links = []
    for anchor in parser.found:
        url, _, fragment = urljoin(base, anchor.get("href") or "").partition("#")
        name = unquote(urlsplit(url).path.rsplit("/", 1)[-1])
        if not name or not is_package(name):
            continue
        metadata = anchor.get("data-core-metadata") or anchor.get("data-dist-info-metadata")
        links.append(
            Link(
                filename=name,
                url=url,
                digest=fragment if fragment.startswith("sha256=") else "",
                requires_python=anchor.get("data-requires-python") or "",
                yanked=(anchor["data-yanked"] or "") if "data-yanked" in anchor else None,
                has_metadata=bool(metadata) and metadata != "false",
            )
        )
    return links


def from_json(data: dict[str, object], base: str) -> list[Link]:
    """The files of a PEP 691 page whose own address is `base`."""
    links = []
    files = data.get("files")
    for file in files if isinstance(files, list) else []:
        hashes, yanked = file.get("hashes") or {}, file.get("yanked")
        links.append(
            Link(
                filename=file["filename"],
                url=urljoin(base, file["url"]),
                digest=f"sha256={hashes['sha256']}" if hashes.get("sha256") else "",
                requires_python=file.get("requires-python") or "",
                yanked=None if not yanked else (yanked if isinstance(yanked, str) else ""),
                has_metadata=bool(file.get("core-metadata") or file.get("dist-info-metadata")),
            )
        )
    return links


def from_folder(folder: Path, project: str) -> list[Link]:
    """A project's files in a flat folder of wheels and archives."""
    return [
        Link(path.name, path.as_uri())
        for path in sorted(folder.iterdir())
        if path.is_file() and project_of(path.name) == project
    ]


def is_package(filename: str) -> bool:
    """Whether a file's name is that of a wheel or a source archive."""
    return filename.endswith((".whl", ".tar.gz", ".zip", ".tar.bz2"))


def project_of(filename: str) -> str:
    """The normalised project name of a wheel or source archive; "" when it is neither."""
    if filename.endswith(".whl"):
        return canonicalize_name(filename.split("-", 1)[0])
    found = re.fullmatch(r"(.+)-\d[^-]*\.(tar\.gz|zip|tar\.bz2)", filename)
    return canonicalize_name(found.group(1)) if found else ""


def merged(pages: Iterable[Iterable[Link]]) -> list[Link]:
    """One list of several pages; of two files with one name the first stays (a local copy before a remote one)."""
    kept: dict[str, Link] = {}
    for page in pages:
        for link in page:
            if link.filename in kept:
                # A folder says nothing of the Python it needs; an index that has the same file does.
                old = kept[link.filename]
                kept[link.filename] = replace(old, requires_python=old.requires_python or link.requires_python)
            else:
                kept[link.filename] = link
    return list(kept.values())


def as_html(project: str, files: Iterable[tuple[Link, str]]) -> str:
    """A PEP 503 page of (file, the address it is served at)."""
    rows = []
    for link, url in files:
        attributes = [f'href="{html.escape(url + ("#" + link.digest if link.digest else ""))}"']
        if link.requires_python:
            attributes.append(f'data-requires-python="{html.escape(link.requires_python)}"')
        if link.yanked is not None:
            attributes.append(f'data-yanked="{html.escape(link.yanked)}"')
        if link.filename.endswith(".whl"):
            attributes.append('data-dist-info-metadata="true" data-core-metadata="true"')
        rows.append(f"<a {' '.join(attributes)}>{html.escape(link.filename)}</a><br>")
    head = '<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.0">'
    return f"{head}<title>{html.escape(project)}</title></head><body>\n" + "\n".join(rows) + "\n</body></html>\n"
