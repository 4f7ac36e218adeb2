"""Which indexes, folders of wheels, certificates and proxies this site installs from.

The site's own settings come first, then what the host's uv and pip are set to, so that a machine that can `pip install`
needs no further setting.
"""

from __future__ import annotations

import configparser
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from django.conf import settings

PYPI = "https://pypi.org/simple"
PROXY_NAMES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")


@dataclass(frozen=True)
class Sources:
    """Where packages come from. `links` are folders or pages of wheels; `constraints` files that cap versions."""

    index: str
    extra: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    ca_bundle: str = ""
    allow_prereleases: bool = False

    def secrets(self) -> list[str]:
        """What must not be read in a log: the passwords inside the addresses, as written and as decoded."""
        found = []
        for url in (self.index, *self.extra, *self.links, *proxies().values()):
            password = urlsplit(url).password if "://" in url else None
            if password:
                found += [password, unquote(password)]
        return found

    def uv_arguments(self) -> list[str]:
        """The command line options that lead uv to these sources on this host."""
        arguments = ["--index-url", self.index, "--index-strategy", "unsafe-best-match"]
        for url in self.extra:
            arguments += ["--extra-index-url", url]
        for link in self.links:
            arguments += ["--find-links", link]
        if self.allow_prereleases:
            arguments += ["--prerelease", "allow"]
        return arguments


def of_site(options: Iterable[str] = ()) -> Sources:
    """The site's sources, with an environment's own options (--extra-index-url … ) on top."""
    pip = pip_settings()
    index = (
        settings.INDEX_URL
        or _first("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
        or pip.get("index-url")
        or PYPI
    )
    extra = [
        *settings.EXTRA_INDEX_URLS,
        *_words(_first("UV_EXTRA_INDEX_URL")),
        *_words(_first("PIP_EXTRA_INDEX_URL") or pip.get("extra-index-url")),
    ]
    links = [
        *_words(settings.FIND_LINKS),
        *_words(_first("UV_FIND_LINKS")),
        *_words(_first("PIP_FIND_LINKS") or pip.get("find-links")),
    ]
    pre = False
    for option in options:
        name, _, value = option.partition(" ")
        if name == "--index-url":
            index = value
        elif name == "--extra-index-url":
            extra.append(value)
        elif name == "--find-links":
            links.append(value)
        elif name == "--pre":
            pre = True
    constraints = [
        path
        for path in _words(_first("PIP_CONSTRAINT", "UV_CONSTRAINT") or pip.get("constraint"))
        if Path(path).is_file()
    ]
    bundle = settings.CA_BUNDLE or _first("SSL_CERT_FILE", "PIP_CERT", "REQUESTS_CA_BUNDLE") or pip.get("cert") or ""
    kept_links = [link for link in dict.fromkeys(links) if "://" in link or Path(link).is_dir()]
    return Sources(index, tuple(dict.fromkeys(extra)), tuple(kept_links), tuple(constraints), bundle, pre)


def choices(options: Iterable[str]) -> list[str]:
    """The options that are not places: --no-binary and --only-binary, as uv's command line takes them."""
    found: list[str] = []
    for option in options:
        name, _, value = option.partition(" ")
        if name in ("--no-binary", "--only-binary"):
            found += [name, value]
    return found


def _first(*names: str) -> str:
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _words(text: str | None) -> list[str]:
    return re.split(r"[\s,]+", text.strip()) if text and text.strip() else []


def pip_settings() -> dict[str, str]:
    """What pip's configuration files say under [global] and [install]; later files win, as in pip."""
    if named := os.environ.get("PIP_CONFIG_FILE"):
        files = [Path(named)]
    else:
        home, xdg = Path.home(), os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        config = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        files = [Path(folder) / "pip/pip.conf" for folder in xdg.split(":")]
        files += [Path("/etc/pip.conf"), home / ".pip/pip.conf", config / "pip/pip.conf", Path(sys.prefix) / "pip.conf"]
    found: dict[str, str] = {}
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read(file)
        except (OSError, configparser.Error):
            continue
        for section in ("global", "install"):
            if parser.has_section(section):
                found.update({name.replace("_", "-"): value for name, value in parser.items(section)})
    return found


def proxies(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """The host's proxies by their lower-case names."""
    given = os.environ if environment is None else environment
    found = {name: given.get(name) or given.get(name.upper()) or "" for name in PROXY_NAMES}
    return {name: value for name, value in found.items() if value}


def without_password(url: str) -> str:
    """An address as it may be shown."""
    parts = urlsplit(url)
    if not parts.password:
        return url
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit(parts._replace(netloc=f"{quote(parts.username or '')}:***@{host}{port}"))
