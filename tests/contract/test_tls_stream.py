"""TLS of the Linux stream: chain, dates and host name are verified, whatever the server says."""

import os
import ssl
import subprocess
import time
from pathlib import Path

import pytest

from edge.core.errors import ConfigError, SyncError
from edge.ports.linux.tcp import TcpStream
from edge.ports.linux.tls import verifying_context
from edge.ports.umqtt import MQTTClient
from hil_tests.micropython.prerequisite import require_command

from .brokers import HOST, Peer, mosquitto, scripted, wait_until


def make_certificates(folder: Path) -> None:
    """Mint two authorities, and server certificates good, of another host, and expired."""
    openssl = require_command("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "other-ca"):
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
        run("req", "-x509", *new_key, *files, "-days", "2", "-subj", f"/CN={name}", *usage)
    (folder / "index.txt").write_text("")
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\n"
        "default_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=copy\n"
        "x509_extensions=x\n[p]\ncommonName=supplied\n"
        "[x]\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    day = 86400
    for name, host, start, end in (
        ("good", "IP:127.0.0.1,DNS:localhost", -day, day),
        ("wrong-host", "DNS:broker.example,IP:127.0.0.2", -day, day),
        ("expired", "IP:127.0.0.1,DNS:localhost", -2 * day, -day),
        ("early", "IP:127.0.0.1,DNS:localhost", day, 2 * day),
    ):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("req", *new_key, *files, "-subj", f"/CN={name}", "-addext", f"subjectAltName={host}")
        dates = [
            time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + at)) for at in (start, end)
        ]
        sign = ("ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key")
        span = ("-startdate", dates[0], "-enddate", dates[1])
        run(*sign, *span, "-notext", "-in", f"{name}.csr", "-out", f"{name}.pem")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    return folder


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


def test_tls_to_a_plain_server() -> None:
    def greet(peer: Peer) -> None:
        peer.send(b"220 ready\r\n")
        peer.fall_silent()

    with scripted(greet) as port:
        with pytest.raises(SyncError) as caught:
            tls_client(port, None).connect()
        assert caught.value.code == "sync.offline"
        assert caught.value.fields["server"] == f"{HOST}:{port}"


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
