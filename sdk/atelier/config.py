"""Which server and whose token: from the environment, or from what `atelier login` saved.

In a job the run's own token goes first; else `ATELIER_TOKEN`; else the token saved for that very server (a token is
never sent to another address than the one it was saved for).
"""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path
from typing import Any

from atelier.client import Client
from atelier.errors import ConfigurationError
from atelier.transport import PooledTransport

_shared: dict[tuple[str, str], Client] = {}
_lock = threading.Lock()
os.register_at_fork(after_in_child=lambda: globals().__setitem__("_lock", threading.Lock()))


def settings_file() -> Path:
    """Where `atelier login` keeps servers and tokens."""
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    return Path(base) / "atelier" / "servers.json"


def saved() -> dict[str, Any]:
    """{"default": url, "servers": {url: {"token": …, "email": …}}}; empty when nobody has logged in."""
    file = settings_file()
    try:
        content = json.loads(file.read_text())
    except FileNotFoundError:
        return {"default": None, "servers": {}}
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"{file} cannot be read ({error}). Run `atelier login` again.", error) from error
    if not isinstance(content, dict) or not isinstance(content.get("servers"), dict):
        raise ConfigurationError(f"{file} is not what `atelier login` writes. Run `atelier login` again.")
    return content


def save_login(url: str, token: str, email: str) -> Path:
    """Keep `token` for `url`, make that server the default; the file is readable by its owner alone."""
    file = settings_file()
    content = saved() if file.exists() else {"default": None, "servers": {}}
    content["servers"][url] = {"token": token, "email": email}
    content["default"] = url
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = file.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(content, out, indent=2)
    part.replace(file)
    return file


def server_url() -> str:
    """The server's address; raises `ConfigurationError` when none is set."""
    url = os.environ.get("ATELIER_URL") or os.environ.get("AZUREML_SERVICE_ENDPOINT") or saved()["default"]
    if not url:
        raise ConfigurationError(
            "No Atelier server is known here. Run `atelier login`, or set ATELIER_URL and ATELIER_TOKEN."
        )
    return checked_url(url)


def checked_url(url: str) -> str:
    """The address without a slash at its end; raises `ConfigurationError` when it is none of a web server."""
    found = url.strip().rstrip("/")
    if not found.startswith(("http://", "https://")):
        raise ConfigurationError(
            f"{url!r} is no server's address: it begins with http:// or https://, as in http://{found.split('://')[-1]}. "
            "Set ATELIER_URL, or run `atelier login --url …`."
        )
    # People copy what stands in the browser's address line; a server below a path of a proxy keeps that path.
    return found.partition("/w/")[0]


def run_token() -> str | None:
    """The token of the run this process works for; the file goes first and is read anew each time."""
    file = os.environ.get("ATELIER_RUN_TOKEN_FILE")
    if file:
        try:
            return Path(file).read_text().strip()
        except OSError as error:
            if not os.environ.get("AZUREML_RUN_TOKEN"):
                raise ConfigurationError(
                    f"The run's token in {file} (ATELIER_RUN_TOKEN_FILE) cannot be read: {error}."
                ) from error
    return os.environ.get("AZUREML_RUN_TOKEN") or None


def in_a_job() -> bool:
    """Whether this process works for a run that the server started."""
    return bool(os.environ.get("AZUREML_RUN_ID")) and bool(
        os.environ.get("ATELIER_RUN_TOKEN_FILE") or os.environ.get("AZUREML_RUN_TOKEN")
    )


def personal_token(url: str) -> str:
    """The user's token for `url`; raises `ConfigurationError` when there is none."""
    token = (os.environ.get("ATELIER_TOKEN") or "").strip()
    if not token:
        token = saved()["servers"].get(url, {}).get("token")
    if not token:
        raise ConfigurationError(
            f"No token for {url}. Run `atelier login --url {url}`, or set ATELIER_TOKEN "
            "(make one on the page Account, Tokens)."
        )
    return token


def default_client() -> Client:
    """The client that the environment describes; the same object as long as that stays the same."""
    url = server_url()
    token = None if in_a_job() else personal_token(url)
    with _lock:
        known = _shared.get((url, token or ""))
        if known is None:
            known = Client(url, run_token if token is None else token, default_transport())
            if token is None:
                known.first_patience = known.patience
            _shared[(url, token or "")] = known
        return known


def spool_folder() -> Path:
    """Where metric batches wait while the server is away; each run has its own folder in it."""
    folder = os.environ.get("ATELIER_SPOOL_DIR")
    if folder:
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")) / "atelier" / "spool"


def default_transport() -> PooledTransport:
    """A new pool with the CA bundle that the environment names."""
    bundle = os.environ.get("ATELIER_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return PooledTransport(bundle if bundle and Path(bundle).exists() else None)
