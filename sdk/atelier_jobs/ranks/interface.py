"""Which network the nodes of a run meet on. A container of a swarm has two: the run's own, and a way out of its host.

The way out has the same addresses on every host, so a program that tries it waits for an answer that never comes.
"""

from __future__ import annotations

import fcntl
import ipaddress
import socket
import struct
import sys

# Linux: <linux/sockios.h>.
SIOCGIFADDR, SIOCGIFNETMASK = 0x8915, 0x891B


def of_address(address: str) -> tuple[str, str] | None:
    """(name, network as address/bits) of the interface that has an IPv4 address; None when there is none."""
    if not sys.platform.startswith("linux"):
        return None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asks:
        for _, name in socket.if_nameindex():
            try:
                found = _asked(asks, SIOCGIFADDR, name)
                if found == address:
                    mask = _asked(asks, SIOCGIFNETMASK, name)
                    return name, str(ipaddress.ip_network(f"{address}/{mask}", strict=False))
            except OSError:
                continue  # it has no IPv4 address
    return None


def _asked(asks: socket.socket, what: int, name: str) -> str:
    answer = fcntl.ioctl(asks.fileno(), what, struct.pack("256s", name[:15].encode()))
    return socket.inet_ntoa(answer[20:24])


def variables(host: str) -> dict[str, str]:
    """What tells MPI, Gloo and NCCL to use the network on which this node is known as `host`; nothing when unknown."""
    try:
        found = of_address(socket.gethostbyname(host))
    except OSError:
        return {}
    if found is None or found[0] == "lo":
        return {}
    name, network = found
    return {
        # By network: mpirun hands these to all nodes, and the same one may have another name there.
        "OMPI_MCA_btl_tcp_if_include": network,
        "OMPI_MCA_oob_tcp_if_include": network,
        "GLOO_SOCKET_IFNAME": name,
        "NCCL_SOCKET_IFNAME": f"={name}",
        "HOROVOD_GLOO_IFACE": name,
    }
