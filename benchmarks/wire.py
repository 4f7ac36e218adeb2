"""Raw keep-alive HTTP clients, so that the client costs as little as it can, and load from several processes."""

from __future__ import annotations

import multiprocessing
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson

LARGE = 1 << 20


class Connection:
    """One keep-alive connection to a server, without Nagle's delay."""

    def __init__(self, port: int, headers: dict[str, str] | None = None) -> None:
        self.port = port
        self.headers = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self.buffer = b""
        self.last = 0.0
        self.connect()

    def connect(self) -> None:
        """Open the connection (again)."""
        self.socket = socket.create_connection(("127.0.0.1", self.port), 120)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = b""

    def request(self, method: str, path: str, body: bytes = b"", kind: str = "application/json") -> bytes:
        """The body of the answer; RuntimeError with what the server said when it refuses."""
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{self.headers}"
            f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        if self.last and time.monotonic() - self.last > 3:
            self.connect()  # servers end a connection that has been idle for seconds
        if len(body) > LARGE:  # to put it behind its head would be a copy of it all
            self.socket.sendall(head.encode())
            self.socket.sendall(body)
        else:
            self.socket.sendall(head.encode() + body)
        status, pieces = self._read()
        answer = b"".join(pieces)
        self.last = time.monotonic()
        if status >= 300:
            raise RuntimeError(f"{method} {path.split('?')[0]}: {status} {answer[:300].decode(errors='replace')}")
        return answer

    def download(self, path: str) -> int:
        """How many bytes the answer to a GET has. They are let go as they come: to keep a large body costs a client more
        than to read it."""
        self.socket.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n{self.headers}\r\n".encode())
        status, pieces = self._read()
        size = sum(map(len, pieces))
        self.last = time.monotonic()
        if status >= 300:
            raise RuntimeError(f"GET {path.split('?')[0]}: {status}")
        return size

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """The same with JSON both ways."""
        return orjson.loads(self.request(method, path, b"" if body is None else orjson.dumps(body)) or b"null")

    def _fill(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise RuntimeError("the server closed the connection")
        self.buffer += data

    def _read(self) -> tuple[int, Iterator[bytes]]:
        """The status, and the body in pieces: take all of them before the next request."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            self._fill()
        lines = self.buffer[:end].decode("latin-1").split("\r\n")
        self.buffer = self.buffer[end + 4 :]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        return int(lines[0].split()[1]), self._body(headers)

    def _body(self, headers: dict[str, str]) -> Iterator[bytes]:
        if headers.get("transfer-encoding") == "chunked":
            yield from self._chunks()
        else:
            yield from self._exactly(int(headers.get("content-length", 0)))
        if headers.get("connection", "").lower() == "close":
            self.socket.close()
            self.connect()

    def _exactly(self, length: int) -> Iterator[bytes]:
        while length:
            if not self.buffer:
                self.buffer = self.socket.recv(min(1 << 20, length))
                if not self.buffer:
                    raise RuntimeError("the server closed the connection")
            data, self.buffer = self.buffer[:length], self.buffer[length:]
            length -= len(data)
            yield data

    def _chunks(self) -> Iterator[bytes]:
        while True:
            while (end := self.buffer.find(b"\r\n")) < 0:
                self._fill()
            size = int(self.buffer[:end].split(b";")[0], 16)
            self.buffer = self.buffer[end + 2 :]
            yield from self._exactly(size)
            list(self._exactly(2))
            if not size:
                return


Step = Callable[[Connection, int], None]
"""One unit of work on a connection; the number counts from 0."""


@dataclass
class Load:
    """What several clients did in a while."""

    per_second: float
    latencies: list[float]

    def percentile(self, share: float) -> float:
        """Seconds below which that share of the requests took."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def _client(
    connect: Callable[[], Connection], step: Step, number: int, seconds: float, start: Any, answer: Any
) -> None:
    try:
        connection = connect()
        step(connection, number * 10_000_000)  # connections and plans are warm before the clock starts
        start.wait()
        latencies = []
        began = now = time.perf_counter()
        count = 1
        while now - began < seconds:
            step(connection, number * 10_000_000 + count)
            count += 1
            then, now = now, time.perf_counter()
            latencies.append(now - then)
        answer.send((len(latencies) / (now - began), latencies))
    except (RuntimeError, OSError) as error:
        start.abort()
        answer.send(error)


def load(connect: Callable[[], Connection], step: Step, clients: int, seconds: float) -> Load:
    """Let `clients` processes repeat the step for so long."""
    context = multiprocessing.get_context("fork")
    start = context.Barrier(clients)
    pipes, processes = [], []
    for number in range(clients):
        mine, theirs = context.Pipe(False)
        process = context.Process(target=_client, args=(connect, step, number, seconds, start, theirs))
        process.start()
        pipes.append(mine)
        processes.append(process)
    answers = [pipe.recv() for pipe in pipes]
    for process in processes:
        process.join()
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return Load(sum(rate for rate, _ in answers), [latency for _, latencies in answers for latency in latencies])


def median_time(work: Callable[[], Any], repeats: int) -> float:
    """The median of the seconds that the work takes."""
    times = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
