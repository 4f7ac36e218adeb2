"""A way to a server that breaks after so many bytes: python relay.py LISTEN TARGET up|down BYTES. Standard library only.

It counts what goes up to the server or comes down from it, then ends with all of its connections.
"""

from __future__ import annotations

import os
import socket
import sys
import threading


def main() -> None:
    """Relays until the bytes are used up."""
    listen, target, way, allowed = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
    lock = threading.Lock()
    passed = 0

    def copy(source: socket.socket, sink: socket.socket, counted: bool) -> None:
        nonlocal passed
        while data := source.recv(65_536):
            sink.sendall(data)
            with lock:
                passed += len(data) if counted else 0
                if passed > allowed:
                    os._exit(0)
        sink.shutdown(socket.SHUT_WR)

    server = socket.create_server(("127.0.0.1", listen))
    while True:
        client, _ = server.accept()
        upstream = socket.create_connection(("127.0.0.1", target))
        for source, sink, counted in ((client, upstream, way == "up"), (upstream, client, way == "down")):
            threading.Thread(target=copy, args=(source, sink, counted), daemon=True).start()


if __name__ == "__main__":
    main()
