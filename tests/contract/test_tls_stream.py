"""TLS of the Linux stream: the contract, and what only it can tell of what is wrong.

`hil_tests/micropython/test_stream_in_device.py` has the contract of the other.
"""

import os
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edge.core.errors import ConfigError, SyncError
from edge.ports.linux.tcp import TcpStream
from edge.ports.linux.tls import verifying_context
from edge.ports.umqtt import MQTTClient

from .brokers import HOST, mosquitto, scripted, wait_until
from .tls_contract import CHECKS
from .tls_peer import Peers, make_certificates, tls_peers


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


class World:
    """See `tls_contract`."""

    host = HOST

    def __init__(self, certificates: Path, peers: Peers, set_clock: Callable[[int], None]) -> None:
        self.ports = peers.ports
        self._certificates = certificates
        self._set_clock = set_clock

    def stream(self, authority: str, is_set: bool) -> TcpStream:
        if not is_set:
            self._set_clock(0)
        return TcpStream(ca_file=str(self._certificates / f"{authority}.pem"))


@pytest.fixture(scope="module")
def peers(certificates: Path) -> Iterator[Peers]:
    with tls_peers(certificates) as found:
        yield found


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__[6:] for check in CHECKS])
def test_it_keeps(
    check: Callable[[World], None],
    certificates: Path,
    peers: Peers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def set_clock(wall_s: int) -> None:
        monkeypatch.setattr("edge.ports.linux.tls.time.time_ns", lambda: wall_s * 10**9)

    check(World(certificates, peers, set_clock))
    assert not any(peers.heard)


def ticks_ms() -> int:
    return time.monotonic_ns() // 1_000_000


def tls_client(
    port: int, ca_file: Path | None, host: str = HOST, timeout_ms: int = 5000
) -> MQTTClient:
    stream = TcpStream(ca_file=None if ca_file is None else str(ca_file))
    return MQTTClient("gw", host, stream, ticks_ms, port=port, tls=True, timeout_ms=timeout_ms)


@pytest.mark.system
def test_tls_to_mosquitto(certificates: Path, tmp_path: Path) -> None:
    files = {"certfile": certificates / "good.pem", "keyfile": certificates / "good.key"}
    with mosquitto(tmp_path, **files) as broker:
        for host in (HOST, "localhost"):
            client = tls_client(broker.port, certificates / "ca.pem", host)
            got: list[bytes] = []
            client.set_callback(lambda topic, payload, got=got: got.append(payload))
            client.connect()
            client.subscribe("echo", 1)
            payload = os.urandom(65536)
            client.publish("echo", payload, qos=1)
            while not got:
                assert client.wait_msg()
            assert got == [payload]
            client.disconnect()
        for ca_file in (certificates / "other-ca.pem", None):
            with pytest.raises(SyncError) as caught:
                tls_client(broker.port, ca_file).connect()
            assert caught.value.code == "sync.offline"
            assert "certificate: " in str(caught.value.fields["reason"])


@pytest.mark.system
@pytest.mark.parametrize(
    ("name", "code", "reason"),
    [
        ("wrong-host", "sync.offline", "IP address mismatch"),
        ("expired", "sync.dates", "certificate has expired"),
        ("early", "sync.dates", "certificate is not yet valid"),
    ],
)
def test_bad_certificates_are_refused(
    certificates: Path, tmp_path: Path, name: str, code: str, reason: str
) -> None:
    files = {"certfile": certificates / f"{name}.pem", "keyfile": certificates / f"{name}.key"}
    with mosquitto(tmp_path, **files) as broker, pytest.raises(SyncError) as caught:
        tls_client(broker.port, certificates / "ca.pem").connect()
    assert caught.value.code == code
    assert reason in str(caught.value.fields["reason"])


@pytest.mark.parametrize("wall_s", [0, 86_400 * 365 * 54, 4_102_444_800])
def test_a_clock_that_cannot_be_right_says_so_before_anything_is_said_to_the_server(
    monkeypatch: pytest.MonkeyPatch, wall_s: int
) -> None:
    heard: list[bytes] = []
    with scripted(lambda peer: heard.append(peer.connection.recv(4096))) as port:
        with monkeypatch.context() as patched:
            patched.setattr("edge.ports.linux.tls.time.time_ns", lambda: wall_s * 10**9)
            with pytest.raises(SyncError) as caught:
                tls_client(port, None).connect()
        wait_until(lambda: heard, "the server has seen the end")
    assert caught.value.code == "sync.dates"
    assert caught.value.fields["reason"] == "this clock was never set"
    assert heard == [b""]


def test_tls_to_a_silent_server_ends_at_the_deadline() -> None:
    with scripted(lambda peer: peer.fall_silent()) as port:
        started_ms = ticks_ms()
        with pytest.raises(SyncError) as caught:
            tls_client(port, None, timeout_ms=300).connect()
        assert caught.value.code == "sync.timeout"
        assert ticks_ms() - started_ms < 900


def test_the_context_cannot_be_weak(tmp_path: Path) -> None:
    context = verifying_context(None)
    assert context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    for content in (None, b"not a certificate"):
        path = tmp_path / "ca.pem"
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            TcpStream(ca_file=str(path))
        assert caught.value.code == "config.file" and caught.value.fields["file"] == str(path)
