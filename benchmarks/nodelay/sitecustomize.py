"""On the peer's PYTHONPATH: sockets that are bound get TCP_NODELAY, which the connections they accept inherit."""

import socket

_bind = socket.socket.bind


def bind(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and self.type == socket.SOCK_STREAM:
        self.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return _bind(self, address)


socket.socket.bind = bind
