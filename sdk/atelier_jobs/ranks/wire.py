"""Messages between the launchers of a run: JSON lines, after both sides have shown that they know the run's key.

Inside the run's own network only its containers can reach the port; the key keeps out anything that a script of
another run on a shared network might try. Keys are made per run from its token and stored nowhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
import secrets
import socket
import threading
from typing import Any

LIMIT = 4 * 1024 * 1024  # of a line; a command line of Open MPI's daemon has a few kB


class Refused(Exception):
    """The other side does not know the key, or speaks something else."""


def key_of(token: str) -> bytes:
    """The run's key."""
    return hashlib.sha256(b"atelier launcher\0" + token.encode()).digest()


class Channel:
    """A connection after the handshake. `send` is safe from several threads; one thread at a time reads."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._reader = connection.makefile("rb")
        self._lock = threading.Lock()

    def send(self, message: dict[str, Any]) -> None:
        """Sends a message; an OSError when the other side is gone."""
        line = json.dumps(message).encode() + b"\n"
        with self._lock:
            self._connection.sendall(line)

    def receive(self) -> dict[str, Any] | None:
        """The next message; None when the other side has closed."""
        try:
            line = self._reader.readline(LIMIT)
        except OSError:
            return None
        if not line.endswith(b"\n"):
            return None
        message = json.loads(line)
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        """Ends the connection, for a reader in another thread too."""
        with contextlib.suppress(OSError):  # the other side was faster
            self._connection.shutdown(socket.SHUT_RDWR)
        self._connection.close()


def _proof(key: bytes, side: str, challenge: str) -> str:
    return hmac.new(key, f"{side}\0{challenge}".encode(), hashlib.sha256).hexdigest()


def open_channel(address: tuple[str, int], key: bytes, timeout: float = 10.0) -> Channel:
    """Connects and proves the key, and has the other side prove it. Raises OSError or Refused."""
    connection = socket.create_connection(address, timeout)
    return _shake(connection, key, "caller", "listener")


def accept_channel(connection: socket.socket, key: bytes, timeout: float = 10.0) -> Channel:
    """The listener's side of the handshake."""
    connection.settimeout(timeout)
    return _shake(connection, key, "listener", "caller")


def _shake(connection: socket.socket, key: bytes, me: str, other: str) -> Channel:
    channel = Channel(connection)
    mine = secrets.token_hex(16)
    try:
        channel.send({"challenge": mine})
        asked = channel.receive()
        if asked is None or not isinstance(asked.get("challenge"), str):
            raise Refused("The other side closed before the handshake.")
        channel.send({"proof": _proof(key, me, asked["challenge"])})
        told = channel.receive()
        if told is None or not hmac.compare_digest(str(told.get("proof")), _proof(key, other, mine)):
            raise Refused("The other side does not know this run's key.")
    except (Refused, OSError, ValueError):
        channel.close()
        raise
    # A run may say nothing for days; a host that vanished is noticed by TCP's own probes.
    connection.settimeout(None)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, name):
            connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return channel
