"""Lets containers reach a server that listens on loopback only, without opening it to the network.

The Docker Engine calls the host by the gateway of its bridge (`host-gateway`). This process listens there, and there
alone, and passes each connection on to 127.0.0.1. Standard library only.

    python scripts/bridge.py LISTEN_HOST PORT
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
import sys
from urllib.parse import urlsplit

CHUNK = 1 << 17


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket, as the Engine serves it."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=3)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def engine_get(path: str) -> tuple[int, bytes]:
    """GET a path of the Engine at DOCKER_HOST; OSError when none answers."""
    address = urlsplit(os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock")
    connection: http.client.HTTPConnection
    if address.scheme == "unix":
        connection = UnixConnection(address.path)
    else:
        connection = http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port or 2375, timeout=3)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    except http.client.HTTPException as error:
        raise OSError(f"what answers at {address.geturl()} is no Docker Engine") from error
    finally:
        connection.close()


def gateway() -> str:
    """The host's address on the bridge of the local engine; empty without one, or where the host does not hold it."""
    try:
        status, body = engine_get("/networks/bridge")
        found = json.loads(body)["IPAM"]["Config"][0].get("Gateway", "") if status == 200 else ""
        if found:
            with socket.socket() as probe:
                probe.bind((found, 0))
    except (OSError, ValueError, LookupError):
        return ""  # no engine, or one in a machine of its own, which reaches our loopback by itself
    return str(found)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
    with contextlib.suppress(OSError):
        if writer.can_write_eof():
            writer.write_eof()


async def serve(host: str, port: int) -> None:
    """Pass connections on until the process is ended."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        for end in (writer, up_writer):
            end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        writer.close()
        up_writer.close()

    server = await asyncio.start_server(accept, host, port, backlog=512)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], int(sys.argv[2])))
