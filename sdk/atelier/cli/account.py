"""Signing in, and what was kept on this machine."""

from __future__ import annotations

import argparse
import getpass
import os
import sys
from pathlib import Path

from atelier import config
from atelier import spool as spooled
from atelier.cli import output
from atelier.client import Client
from atelier.errors import ConfigurationError, UserError


def login(arguments: argparse.Namespace) -> int:
    """Check a personal token with the server and keep it in a file that only you can read. Make the token on the
    server's page Account, Tokens."""
    url = (arguments.url or os.environ.get("ATELIER_URL") or config.saved()["default"] or "").rstrip("/")
    if not url:
        raise ConfigurationError("Which server? Say it with --url, for example --url http://localhost:8000.")
    if "://" not in url:
        url = f"http://{url}"
    url = config.checked_url(url)
    token = arguments.token
    if token == "-":
        token = sys.stdin.readline().strip()
    elif token is None:
        if not sys.stdin.isatty():
            raise UserError("There is no terminal to ask for the token on. Pass --token, or --token - to read it.")
        print(f"Make a token on {url}/account/tokens and paste it here (it is not shown).", file=sys.stderr)
        token = getpass.getpass("Token: ").strip()
    if not token:
        raise UserError("No token was given.")
    me = Client(url, token, config.default_transport()).call("GET", "/me")
    file = config.save_login(url, token, me.get("email") or me["user"])
    names = [one["name"] for one in me["workspaces"]]
    if arguments.json:
        output.as_json({"url": url, "user": me["user"], "workspaces": names, "file": str(file)})
    else:
        print(f"Signed in to {url} as {me['user']}. Workspaces: {', '.join(names) or 'none yet'}.")
    return 0


def whoami(arguments: argparse.Namespace) -> int:
    """The server, the account and its workspaces."""
    client = config.default_client()
    me = client.call("GET", "/me")
    if arguments.json:
        output.as_json({"url": client.url, **me})
        return 0
    print(f"{me['user']} on {client.url} (server {me.get('server_version') or 'of unknown version'})")
    output.table(("WORKSPACE", "ROLE"), [(one["name"], one["role"]) for one in me["workspaces"]])
    return 0


def spool(arguments: argparse.Namespace) -> int:
    """Deliver metric batches that wait on this machine."""
    folder = Path(arguments.folder) if arguments.folder else config.spool_folder()
    count = spooled.deliver(config.default_client(), folder)
    refused = sorted(folder.rglob(f"*{spooled.REFUSED}")) if folder.is_dir() else []
    if arguments.json:
        output.as_json({"delivered": count, "refused": [str(file) for file in refused]})
    else:
        print(f"Delivered {_batches(count)} from {folder}.")
        if refused:
            print(
                f"The server refuses {_batches(len(refused))}; a .reason file beside each says why: {refused[0].parent}"
            )
    return 0


def _batches(count: int) -> str:
    return "1 batch" if count == 1 else f"{count} batches"
