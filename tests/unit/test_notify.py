"""What systemd hears: real datagrams on a real socket, by path and in the abstract namespace."""

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from edge.ports.linux.notify import Notifier


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    """systemd's end and the name of it."""
    name = str(tmp_path / "notify")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ears:
        ears.bind(name)
        ears.setblocking(False)
        yield ears, name


def heard(ears: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(ears.recv(4096))
        except BlockingIOError:
            return found


def test_each_thing_is_one_datagram(manager):
    ears, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    notifier.ready()
    notifier.feed()
    notifier.say("7 records\nto send")
    notifier.stopping()
    notifier.close()
    notifier.feed()
    assert heard(ears) == [b"READY=1", b"WATCHDOG=1", b"STATUS=7 records to send", b"STOPPING=1"]


def test_an_abstract_socket_is_found():
    name = f"carbontally-{os.getpid()}"
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as ears:
        ears.bind("\0" + name)
        ears.setblocking(False)
        Notifier({"NOTIFY_SOCKET": "@" + name}).ready()
        assert heard(ears) == [b"READY=1"]


def test_a_manager_that_does_not_listen_blocks_nobody(manager):
    ears, name = manager
    notifier = Notifier({"NOTIFY_SOCKET": name})
    for _ in range(2_000):
        notifier.feed()
    count = len(heard(ears))
    assert 0 < count < 2_000, "its queue was full"
    notifier.feed()
    assert heard(ears) == [b"WATCHDOG=1"]
    Path(name).unlink()
    notifier.feed()
    assert heard(ears) == []


@pytest.mark.parametrize("name", ["", "relative", "tcp://x"])
def test_without_a_usable_name_nothing_is_told(name: str):
    notifier = Notifier({"NOTIFY_SOCKET": name} if name else {})
    notifier.ready()
    notifier.close()
    assert notifier.watchdog_ms == 0


@pytest.mark.parametrize(
    ("environment", "watchdog_ms"),
    [
        ({}, 0),
        ({"WATCHDOG_USEC": "60000000"}, 60_000),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60_000),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "sixty"}, 0),
        ({"WATCHDOG_USEC": "-5"}, 0),
        ({"WATCHDOG_USEC": "\u00b2"}, 0),
    ],
)
def test_the_watchdog_is_that_of_this_process(environment, watchdog_ms: int):
    assert Notifier(environment).watchdog_ms == watchdog_ms
