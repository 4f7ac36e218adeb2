"""A swarm of two real engines on this machine, each with a network of its own: what tests of many hosts run against.

Two Docker engines in two network namespaces, joined by a third one that is the switch, to which this machine has a
port too:

    one  (manager)  10.<n>.0.2 ──┐
    two  (worker)   10.<n>.0.3 ──┼── switch ── 10.<n>.0.1  this machine
                                 │
    `cut` takes the cable of one of them out, `plug` puts it back; `kill` ends its daemon as a power failure would.

Nothing of this machine's own network or firewall is changed but one interface, and everything is ended and removed
when the block is left. `two` is reached over TCP with certificates made here, as another machine would be.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

START_SECONDS = 60.0
SIZE = "size=26"


def run(*words: str, check: bool = True, **more: Any) -> str:
    """A program's output; AssertionError with what it said when it fails."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, **more)
    assert not check or done.returncode == 0, f"{' '.join(words)}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


class Engine:
    """One host of the swarm: a daemon in a namespace of its own."""

    def __init__(self, name: str, folder: Path, space: str, address: str, net: int, certificates: Path) -> None:
        self.name, self.folder, self.space, self.address, self.net = name, folder, space, address, net
        self.certificates = certificates
        self.socket = folder / "d.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = folder / "log"

    @property
    def url(self) -> str:
        """The engine as another machine reaches it."""
        return f"tcp://{self.address}:2376"

    @property
    def id(self) -> str:
        """Its id among the hosts of the swarm."""
        return self.docker("info", "-f", "{{.Swarm.NodeID}}")

    def start(self) -> None:
        """Starts the daemon; `ready` waits for it."""
        tls = {name: str(self.certificates / f"{name}.pem") for name in ("ca", "server", "server-key")}
        command = [
            # Not `ip netns exec`: that mounts another /sys, in which the daemon does not find its control groups.
            *("nsenter", f"--net=/run/netns/{self.space}", "unshare", "--uts"),
            *("sh", "-c", f'hostname {self.name}; exec "$@"'),
            *("sh", shutil.which("dockerd") or "/usr/sbin/dockerd"),
            *("--host", f"unix://{self.socket}", "--host", f"tcp://{self.address}:2376"),
            *("--tlsverify", "--tlscacert", tls["ca"], "--tlscert", tls["server"], "--tlskey", tls["server-key"]),
            *("--data-root", str(self.folder / "data"), "--exec-root", str(self.folder / "run")),
            *("--pidfile", str(self.folder / "pid"), "--bip", f"172.30.{self.net}.1/24"),
            *("--default-address-pool", f"base=172.31.{self.net}.0/24,{SIZE}"),
            *(
                "--insecure-registry",
                f"{self.address.rpartition('.')[0]}.0/24",
            ),  # a test's registry, without certificates
        ]
        (self.folder / "pid").unlink(missing_ok=True)
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=out)

    def docker(self, *words: str, check: bool = True) -> str:
        """The command line on this engine, through its socket: it works when its cable is out."""
        return run("docker", "--host", f"unix://{self.socket}", *words, check=check)

    def ready(self) -> None:
        """Waits until the daemon answers."""
        until(lambda: bool(self.docker("version", "-f", "{{.Server.Version}}", check=False)), START_SECONDS, self.said)

    def said(self) -> str:
        """The end of the daemon's log."""
        return self.log.read_text(errors="replace")[-3000:]

    def cut(self) -> None:
        """Takes its cable out."""
        run("ip", "-n", self.space, "link", "set", "lan0", "down")

    def plug(self) -> None:
        """Puts its cable back."""
        run("ip", "-n", self.space, "link", "set", "lan0", "up")

    def kill(self) -> None:
        """Ends the daemon and all that it runs at once: a power failure."""
        if self.process is None:
            return
        # unshare and sh have become the daemon: one process, and in its namespace its containerd and the containers.
        for _ in range(50):
            found = [int(pid) for pid in run("ip", "netns", "pids", self.space, check=False).split()]
            found += self._jobs()
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if not found:
                break
            time.sleep(0.1)
        self.process.wait(20)
        self.process = None

    def _jobs(self) -> list[int]:
        """Containers have namespaces of their own: their shims name this engine's folder, and are their parents."""
        mark = str(self.folder).encode()
        shims = [int(p.parent.name) for p in Path("/proc").glob("[0-9]*/cmdline") if mark in _read(p)]
        children = [int(c) for pid in shims for c in _read(Path(f"/proc/{pid}/task/{pid}/children")).split()]
        return children + shims

    def stop(self) -> None:
        """Ends the daemon in peace, or else at once."""
        if self.process is None:
            return
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        self.kill()


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def until(look: Callable[[], Any], seconds: float, why: Callable[[], str]) -> None:
    """Waits until `look` is true; AssertionError with what `why` says after the time."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, why()
        time.sleep(0.1)


class Swarm:
    """The two engines, and what a server needs to use them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        mark = secrets.token_hex(3)
        self.spaces = {name: f"atl-{mark}-{name}" for name in ("switch", "one", "two")}
        self.port = f"atl{mark}"
        net = _free_net()
        self.here = f"10.{net}.0.1"
        self.certificates = folder / "certificates"
        self.one, self.two = (
            Engine(name, folder / name, self.spaces[name], f"10.{net}.0.{last}", last, self.certificates)
            for name, last in (("one", 2), ("two", 3))
        )
        self.engines = (self.one, self.two)

    @property
    def environment(self) -> dict[str, str]:
        """What a server is told to use the swarm."""
        return {"DOCKER_HOST": f"unix://{self.one.socket}", "DOCKER_CERT_PATH": str(self.certificates)}

    def start(self) -> None:
        """Namespaces, cables, certificates, daemons, images, the swarm."""
        self._cables()
        _certify(self.certificates, [engine.address for engine in self.engines])
        for engine in self.engines:
            engine.folder.mkdir()
            engine.start()
        for engine in self.engines:
            engine.ready()
        self.load(os.environ["ATELIER_BASE_IMAGE"])
        # A heartbeat of 1 s: a lost host is known to be down after some three of them, not after fifteen seconds.
        self.one.docker(
            "swarm",
            "init",
            "--dispatcher-heartbeat",
            "1s",
            "--advertise-addr",
            self.one.address,
            "--listen-addr",
            self.one.address,
        )
        token = self.one.docker("swarm", "join-token", "-q", "worker")
        self.two.docker("swarm", "join", "--token", token, "--advertise-addr", self.two.address, self.one.address)
        self.one.docker("node", "update", "--label-add", f"atelier.engine={self.two.url}", "two")
        self.has("ready")

    def has(self, state: str, seconds: float = 60) -> None:
        """Waits until the manager says that of `two`."""
        until(lambda: self.state_of_two() == state, seconds, lambda: f"two is {self.state_of_two()}, not {state}")

    def state_of_two(self) -> str:
        """ready or down, as the manager sees it."""
        return self.one.docker("node", "inspect", "-f", "{{.Status.State}}", "two", check=False)

    @contextlib.contextmanager
    def out_of_service(self, engine: Engine) -> Iterator[None]:
        """Drains a host for as long as the block lasts, as an operator does before working on a machine."""
        self.one.docker("node", "update", "--availability", "drain", engine.name)
        try:
            yield
        finally:
            self.one.docker("node", "update", "--availability", "active", engine.name)

    def load(self, *names: str) -> None:
        """Copies images from the suite's engine to both."""
        for name in names:
            loads = []
            for engine in self.engines:
                source = subprocess.Popen(["docker", "save", name], stdout=subprocess.PIPE)
                words = ["docker", "--host", f"unix://{engine.socket}", "load", "-q"]
                loads.append((source, subprocess.Popen(words, stdin=source.stdout, stdout=subprocess.DEVNULL)))
                assert source.stdout
                source.stdout.close()
            for source, load in loads:
                assert (load.wait(240), source.wait(240)) == (0, 0), f"{name} could not be copied"

    def _cables(self) -> None:
        for space in self.spaces.values():
            run("ip", "netns", "add", space)
            run("ip", "-n", space, "link", "set", "lo", "up")
        switch = self.spaces["switch"]
        run("ip", "-n", switch, "link", "add", "sw0", "type", "bridge")
        run("ip", "-n", switch, "link", "set", "sw0", "up")
        self._cable(self.port, "", f"{self.here}/24", "here")
        for engine in self.engines:
            self._cable("lan0", engine.space, f"{engine.address}/24", engine.name)

    def _cable(self, name: str, space: str, address: str, other: str) -> None:
        """A cable from a namespace (this machine's own: none) to the switch."""
        switch = self.spaces["switch"]
        end = f"{self.port}x"  # a name that is free in this machine's namespace until it is moved
        run("ip", "link", "add", end, "type", "veth", "peer", "name", other, "netns", switch)
        run("ip", "-n", switch, "link", "set", other, "master", "sw0")
        run("ip", "-n", switch, "link", "set", other, "up")
        if space:
            run("ip", "link", "set", end, "netns", space)
        inside = ["-n", space] if space else []
        run("ip", *inside, "link", "set", end, "name", name)
        run("ip", *inside, "addr", "add", address, "dev", name)
        run("ip", *inside, "link", "set", name, "up")

    def stop(self) -> None:
        """Ends and removes all of it, whatever state it is in."""
        for engine in self.engines:
            with contextlib.suppress(Exception):
                engine.kill()
        run("ip", "link", "del", self.port, check=False)
        for space in self.spaces.values():
            run("ip", "netns", "del", space, check=False)
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            place = line.split()[1]
            if place.startswith(str(self.folder)):
                run("umount", "-l", place, check=False)
        shutil.rmtree(self.folder, ignore_errors=True)


def _free_net() -> int:
    taken = run("ip", "-4", "route")
    # Processes that look at the same time begin at different places.
    return next(n for more in range(39) if f"10.{(n := 211 + (os.getpid() + more) % 39)}." not in taken)


def _certify(folder: Path, addresses: list[str]) -> None:
    """An authority, a certificate of the daemons and one of the client, as Docker's documentation makes them."""
    folder.mkdir()

    def openssl(*words: str) -> None:
        run("openssl", *words, cwd=folder)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *curve, "-keyout", "ca-key.pem", "-out", "ca.pem", "-subj", "/CN=tests")
    names = ",".join(f"IP:{address}" for address in addresses)
    for name, key, extra in (
        ("server", "server-key", f"subjectAltName={names}\nextendedKeyUsage=serverAuth\n"),
        ("cert", "key", "extendedKeyUsage=clientAuth\n"),
    ):
        (folder / "extra").write_text(extra)
        openssl("req", "-new", *curve[:5], "-keyout", f"{key}.pem", "-out", "request.pem", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca-key.pem", "-CAcreateserial", "-days", "2", "-extfile", "extra")
        openssl("x509", "-req", "-in", "request.pem", "-out", f"{name}.pem", *signed)


@contextlib.contextmanager
def running_swarm() -> Iterator[Swarm]:
    """A swarm for as long as the block lasts."""
    found = Swarm(Path(tempfile.mkdtemp(prefix="atelier-swarm-")))
    try:
        found.start()
        yield found
    finally:
        found.stop()


@pytest.fixture(scope="session")
def swarm() -> Iterator[Swarm]:
    """The session's swarm."""
    with running_swarm() as running:
        yield running


if __name__ == "__main__":  # by hand: prints what to export, and ends with the input
    with running_swarm() as by_hand:
        print(json.dumps({**by_hand.environment, "two": by_hand.two.url, "here": by_hand.here}), flush=True)
        with contextlib.suppress(EOFError):
            input()
