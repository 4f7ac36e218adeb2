"""A Docker Engine that a test may break: on a small disk and in a network namespace of its own, beside the shared one.

Its disk is a file system in a file, so that it can be full; its iptables rules are its namespace's, so that a restart
touches no other engine on the host. Containers reach the host, and the host's servers them, over a pair of veth devices.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import psutil

from tests.stack import wait_for

DISK_MB = 1500
# The range for measurements between networks (RFC 2544): nothing on the internet or in an office has it.
PAIRS = "198.18"


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
    return done.stdout


class Network:
    """A network namespace, and the way between it and the host. `host` is the host's address as seen from inside."""

    def __init__(self) -> None:
        self.name = f"atl{secrets.token_hex(3)}"
        taken = _run("ip", "-4", "route")
        pairs = (f"{PAIRS}.{n}" for n in range(1, 255))
        base = next(base for base in pairs if f"{base}." not in taken)
        self.host, self.inside = f"{base}.1", f"{base}.2"
        _run("ip", "netns", "add", self.name)
        _run("ip", "link", "add", self.name, "type", "veth", "peer", "name", "up0", "netns", self.name)
        _run("ip", "addr", "add", f"{self.host}/30", "dev", self.name)
        _run("ip", "link", "set", self.name, "up")
        for words in (
            f"addr add {self.inside}/30 dev up0",
            "link set up0 up",
            "link set lo up",
            f"route add default via {self.host}",
        ):
            _run("ip", "-n", self.name, *words.split())

    def enter(self, *command: str) -> list[str]:
        """The command inside the namespace. Not `ip netns exec`: that hides /sys/fs/cgroup."""
        return ["nsenter", f"--net=/run/netns/{self.name}", "--", *command]

    def close(self) -> None:
        """The pair goes with its namespace."""
        subprocess.run(["ip", "link", "delete", self.name], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)


class Engine:
    """One dockerd, its disk and its network."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="atelier-engine-"))
        self.disk = self.folder / "disk"
        self.network = Network()
        self.url = f"unix://{self.folder}/docker.sock"
        self.process: subprocess.Popen[bytes] | None = None
        self.more: list[subprocess.Popen[bytes]] = []
        self.live_restore = False

    def make_disk(self) -> None:
        """A sparse file with a file system in it, for the engine alone."""
        image = self.folder / "disk.img"
        with image.open("wb") as file:
            file.truncate(DISK_MB << 20)
        _run("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", str(image))
        self.disk.mkdir()
        _run("mount", "-o", "loop", str(image), str(self.disk))

    def start(self, *, live_restore: bool = False) -> None:
        """Starts the engine and waits for its answer."""
        self.live_restore = live_restore
        folder = self.folder
        command = self.network.enter(
            *(
                "dockerd",
                "--host",
                self.url,
                "--data-root",
                str(self.disk / "docker"),
                "--exec-root",
                str(folder / "run"),
            ),
            *("--pidfile", str(folder / "pid"), "--bip", "172.30.0.1/24", "--shutdown-timeout", "5"),
            *("--max-download-attempts", "1"),
            *("--default-address-pool", "base=172.31.0.0/16,size=26"),
            *(["--live-restore"] if live_restore else []),
        )
        Path(folder / "pid").unlink(missing_ok=True)
        with (folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        wait_for(self.answers, 60, f"the engine answers\n{self.log()}")

    def answers(self) -> bool:
        """Whether it is there."""
        try:
            with contextlib.closing(docker.APIClient(base_url=self.url, version="1.41", timeout=5)) as client:
                return bool(client.ping())
        except docker.errors.DockerException:
            return False
        except OSError:
            return False

    def log(self) -> str:
        """The end of what dockerd wrote."""
        file = self.folder / "log"
        return "\n".join(file.read_text(errors="replace").splitlines()[-30:]) if file.exists() else ""

    def end(self, how: signal.Signals) -> None:
        """Ends dockerd alone, as an update or a crash of it does; what it had started may live on."""
        assert self.process
        self.process.send_signal(how)  # nsenter has become dockerd
        self.process.wait(60)
        # Its containerd dies with it. Where nobody collects orphans (a container's init), its number seems alive,
        # and the next dockerd waits for it in vain.
        number = self.folder / "run" / "containerd" / "containerd.pid"
        if number.exists():
            wait_for(lambda: not _alive(int(number.read_text())), 30, "its containerd has ended")
            number.unlink()

    def restart(self, how: signal.Signals) -> None:
        """Ends it and starts it again, with the settings that it had."""
        self.end(how)
        self.start(live_restore=self.live_restore)

    def client(self) -> docker.APIClient:
        """A connection."""
        return docker.APIClient(base_url=self.url, version="1.41", timeout=60)

    def everything(self) -> dict[str, set[str]]:
        """All containers, networks, volumes and images, the steps' own included."""
        with contextlib.closing(self.client()) as api:
            return {
                "containers": {c["Names"][0] for c in api.containers(all=True)},
                "networks": {n["Name"] for n in api.networks()},
                "volumes": {v["Name"] for v in api.volumes()["Volumes"] or []},
                "images": {i["Id"] for i in api.images(all=True)},
            }

    def fetch_from(self, other: str, image: str) -> None:
        """Copies an image from another engine."""
        theirs = docker.APIClient(base_url=other, version="1.41")
        with contextlib.closing(theirs), contextlib.closing(self.client()) as ours:
            for _ in ours.load_image(theirs.get_image(image)):
                pass
            assert ours.inspect_image(image)["Id"] == theirs.inspect_image(image)["Id"]

    def free(self) -> int:
        """Bytes that are free on its disk."""
        return shutil.disk_usage(self.disk).free

    @contextlib.contextmanager
    def filled(self, leave: int) -> Iterator[None]:
        """A disk on which so many bytes are left."""
        ballast = self.disk / "ballast"
        try:
            with ballast.open("wb", buffering=0) as file:
                # The file system needs a part for its own lists of the blocks.
                os.posix_fallocate(file.fileno(), 0, max(self.free() - leave - (2 << 20), 1))
                file.seek(0, os.SEEK_END)
                while self.free() > leave:
                    file.write(bytes(16_384))
                    os.fsync(file.fileno())
            yield
        finally:
            ballast.unlink(missing_ok=True)

    def beside(self, *command: str) -> subprocess.Popen[bytes]:
        """A program in the engine's namespace, which reaches it on 127.0.0.1; ended with the engine."""
        made = subprocess.Popen(
            self.network.enter(*command), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.more.append(made)
        return made

    def close(self) -> None:
        """Ends everything that was started here, in whatever state it is, and gives the disk back."""
        for process in [*self.more, *filter(None, [self.process])]:
            process.terminate()
        for process in [*self.more, *filter(None, [self.process])]:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # What a killed engine left: its containerd, shims and the containers below them.
        for one in psutil.process_iter(["cmdline"]):
            if str(self.folder) in " ".join(one.info["cmdline"] or []):
                for found in [*_children(one), one]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        found.kill()
        mounts = re.findall(rf"^\S+ ({re.escape(str(self.folder))}\S*) ", Path("/proc/mounts").read_text(), re.M)
        for mount in sorted(mounts, key=len, reverse=True):
            unmounted = subprocess.run(["umount", mount], capture_output=True, check=False).returncode == 0
            if not unmounted:  # held by a process that is just ending: it goes with it
                subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
        self.network.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def _alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


@contextlib.contextmanager
def running_engine(image: str) -> Iterator[Engine]:
    """An engine for as long as the block lasts, with one image of the shared engine's."""
    engine = Engine()
    try:
        engine.make_disk()
        engine.start()
        engine.fetch_from(os.environ["DOCKER_HOST"], image)
        yield engine
    finally:
        engine.close()
