"""The Linux stream on real sockets, beyond the contract: what only it has, and nothing blocks."""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edge.core.errors import SyncError
from edge.ports.linux import tcp
from edge.ports.linux.tcp import TcpStream
from edge.ports.umqtt import MQTTClient

from .brokers import HOST, free_port, wait_until


def open_stream(stream: TcpStream, host: str, port: int, tls: bool = False) -> None:
    """Open and poll until it is open; each poll must return at once."""
    stream.open(host, port, tls)

    def advance() -> bool:
        started_s = time.monotonic()
        state = stream.poll()
        assert time.monotonic() - started_s < 0.2
        stream.wait(20)
        return state == "open"

    wait_until(advance, "the stream is open", 5)


@contextmanager
def listening(host: str = HOST) -> Iterator[tuple[socket.socket, int]]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        listener.settimeout(10)
        yield listener, listener.getsockname()[1]


@contextmanager
def connected() -> Iterator[tuple[TcpStream, socket.socket]]:
    stream = TcpStream()
    with listening() as (listener, port):
        open_stream(stream, HOST, port)
        connection, _ = listener.accept()
        with connection:
            yield stream, connection
    stream.close()


def test_no_delay_is_set() -> None:
    with connected() as (stream, _):
        raw = socket.socket(fileno=os.dup(stream.fileno()))
        with raw:
            assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert stream.fileno() == -1


def test_a_name_is_resolved_and_every_address_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo
    with listening() as (_, port):
        dead = free_port()

        def two_addresses(host: str, port: int, **options: int) -> list[tuple]:
            found = resolve(host if options.get("flags") else HOST, port, **options)
            return [(*found[0][:4], (HOST, dead)), *found]

        monkeypatch.setattr(tcp.socket, "getaddrinfo", two_addresses)
        stream = TcpStream()
        open_stream(stream, "broker.test", port)
        stream.close()


def test_localhost_is_reached_whichever_family_it_names_first() -> None:
    with listening() as (_, port):
        stream = TcpStream()
        open_stream(stream, "localhost", port)
        stream.close()


def test_a_silent_address_gives_way_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo
    with listening() as (_, port), socket.socket() as full:
        # A listener whose backlog is full answers no further connection.
        full.bind((HOST, 0))
        full.listen(0)
        silent = full.getsockname()
        fillers = [socket.socket() for _ in range(3)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(silent)

        def two_addresses(host: str, port: int, **options: int) -> list[tuple]:
            found = resolve(host if options.get("flags") else HOST, port, **options)
            return [(*found[0][:4], silent), *found]

        monkeypatch.setattr(tcp.socket, "getaddrinfo", two_addresses)
        stream = TcpStream(address_timeout_ms=300)
        started_s = time.monotonic()
        open_stream(stream, "broker.test", port)
        assert time.monotonic() - started_s >= 0.25
        stream.close()
        for filler in fillers:
            filler.close()


def test_a_hanging_look_up_blocks_nothing_and_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    release = threading.Event()
    calls: list[str] = []
    resolve = socket.getaddrinfo

    def hang(host: str, port: int, **options: int) -> list[tuple]:
        if options.get("flags"):
            return resolve(host, port, **options)
        calls.append(host)
        release.wait(20)
        return resolve(HOST, port, **options)

    monkeypatch.setattr(tcp.socket, "getaddrinfo", hang)
    with listening() as (_, port):
        client = MQTTClient(
            "gw",
            "broker.test",
            TcpStream(),
            lambda: time.monotonic_ns() // 1_000_000,
            port=port,
            timeout_ms=200,
        )
        for _ in range(3):
            with pytest.raises(SyncError) as caught:
                client.connect()
            assert caught.value.code == "sync.timeout"
        assert calls == ["broker.test"]
        release.set()
        open_stream(client.stream, "broker.test", port)
        assert calls == ["broker.test"]
        client.close()
