"""The folder that is the laptop's broker: every message once, whoever else reads and writes, and at once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from kombu import Connection, Exchange, Queue

from studio import broker

HERE = Queue("here", Exchange("here", type="direct"), routing_key="here")
OTHER = Queue("other.here", Exchange("here", type="direct"), routing_key="other")


@pytest.fixture
def connect(tmp_path):
    """Makes connections to one broker, each like another process's."""
    for name in ("messages", "control", "processed"):
        (tmp_path / name).mkdir()
    options = {"data_folder_in": str(tmp_path / "messages"), "data_folder_out": str(tmp_path / "messages"),
               "control_folder": str(tmp_path / "control"), "processed_folder": str(tmp_path / "processed")}  # fmt: skip
    made: list[Connection] = []

    def make() -> Connection:
        made.append(Connection(transport=broker.Transport, transport_options=options))
        return made[-1]

    make.folder = tmp_path / "messages"
    yield make
    for connection in made:
        connection.release()


def consume(connection: Connection, got: list, total: int, seconds: float = 20) -> None:
    """Collects bodies until `total` have come to all consumers together."""
    deadline = time.monotonic() + seconds
    with connection.Consumer(HERE, callbacks=[lambda body, message: (got.append(body), message.ack())]):
        while len(got) < total and time.monotonic() < deadline:
            try:
                connection.drain_events(timeout=0.2)
            except TimeoutError:
                continue


def test_of_many_writers_and_readers_each_message_reaches_one(connect):
    got: list[int] = []
    readers = [threading.Thread(target=consume, args=(connect(), got, 200)) for _ in range(3)]

    def write(start: int) -> None:
        producer = connect().Producer()
        for number in range(start, start + 50):
            producer.publish(number, exchange=HERE.exchange, routing_key="here", declare=[HERE])

    writers = [threading.Thread(target=write, args=(n * 50,)) for n in range(4)]
    for thread in [*readers, *writers]:
        thread.start()
    for thread in [*writers, *readers]:
        thread.join()
    assert Counter(got) == Counter(range(200))
    assert list(Path(connect.folder).iterdir()) == []


def test_a_waiting_reader_has_the_message_at_once(connect):
    got: list[float] = []
    reader = connect()
    times: list[float] = []
    with reader.Consumer(
        HERE, callbacks=[lambda body, message: (got.append(body), times.append(time.monotonic()), message.ack())]
    ):
        producer = connect().Producer()
        publisher = threading.Timer(
            0.3, lambda: producer.publish(time.monotonic(), exchange=HERE.exchange, routing_key="here")
        )
        publisher.start()
        reader.drain_events(timeout=10)
        publisher.join()
    assert len(got) == 1 and times[0] >= got[0]
    assert broker.Watch(str(connect.folder))._fd >= 0, "this machine has inotify, so nothing waits for a clock"


def test_messages_stay_in_order_and_queues_apart(connect):
    producer = connect().Producer()
    for number in range(20):
        producer.publish(number, exchange=HERE.exchange, routing_key="here", declare=[HERE])
        producer.publish(-number, exchange=HERE.exchange, routing_key="other", declare=[OTHER])
    got: list[int] = []
    consume(connect(), got, 20)
    assert got == list(range(20)) and len(list(Path(connect.folder).glob("*.other.here.msg"))) == 20


def test_a_strange_file_is_passed_over(connect):
    (connect.folder / "0_x.here.msg").write_bytes(b"")
    (connect.folder / "notes.txt").write_text("mine")
    connect().Producer().publish("real", exchange=HERE.exchange, routing_key="here", declare=[HERE])
    got: list[str] = []
    consume(connect(), got, 1)
    assert got == ["real"] and (connect.folder / "notes.txt").exists()


def test_nothing_within_the_time_is_a_timeout(connect):
    reader = connect()
    with reader.Consumer(HERE, callbacks=[print]), pytest.raises(TimeoutError):
        reader.drain_events(timeout=0.1)
