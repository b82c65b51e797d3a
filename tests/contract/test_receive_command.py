"""`carbontally receive` as a process on real brokers: what it stores, says and trusts."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from hil_tests.micropython.prerequisite import require_command
from tests.contract.brokers import HOST, Broker, amqtt, mosquitto, wait_until
from tests.contract.receive_process import STATE_TOPIC, Process, gateway_on, query, receiving
from tests.unit.receiver_journal import GATEWAY, TENANT, Journal, factory

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=120)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    with mosquitto(tmp_path) as running:
        yield running


@pytest.mark.parametrize("kind", [mosquitto, amqtt], ids=["mosquitto", "amqtt"])
def test_batches_are_stored_and_acknowledged(tmp_path: Path, journal: Journal, kind):
    with kind(tmp_path) as broker, receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            for payload in journal.cut(30, 60, 90):
                gateway.send(payload)
            wait_until(lambda: gateway.acked == 90, "the last batch is acknowledged")
            assert [ack.hash for ack in gateway.acks if ack.seq == 90][0] == journal.hashes[90]
        process.wait_for("stored", 3)
        spans = [(e["gateway"], e["first"], e["last"], e["head"]) for e in process.of("stored")]
        owner = f"{TENANT}/{GATEWAY}"
        assert spans == [(owner, 0, 30, 30), (owner, 31, 60, 60), (owner, 61, 90, 90)]
        status, seconds = process.stop()
        assert status == 0 and seconds < 5
    expected = [tuple(r) for r in journal.readings if r.seq <= 90]
    found = query(
        process.path,
        "SELECT seq, device, point, unit, value, quality, wall_ms FROM v_readings",
    )
    assert sorted(found) == sorted(expected)
    assert verify_store(process.path).ok


def test_the_acknowledgement_is_retained(broker: Broker, tmp_path: Path, journal: Journal):
    with receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            gateway.send(journal.batch(0, 9))
            wait_until(lambda: gateway.acked == 9, "acknowledged")
        with gateway_on(broker) as again:
            wait_until(lambda: again.acks, "the retained acknowledgement")
            assert again.acks[0].seq == 9


def test_users_and_passwords(tmp_path: Path):
    secret = tmp_path / "password"
    options = ("--user", "cloud", "--password-file", str(secret))
    with mosquitto(tmp_path, users={"cloud": "hush"}) as broker:
        for text, event in (("wrong", "failing"), ("hush\n", "ready")):
            secret.write_text(text)
            secret.chmod(0o600)
            with receiving(tmp_path, broker, *options) as process:
                found = process.wait_for(event)
                assert event == "ready" or found["code"] == "sync.refused"
                assert process.stop()[0] == 0
        secret.chmod(0o644)
        with receiving(tmp_path, broker, *options) as process:
            assert process.process.wait(20) == 78
    assert "hush" not in process.errors.read_text() and "config.secret" in (
        process.errors.read_text()
    )


def make_certificates(folder: Path) -> None:
    """An authority, a server certificate of it for 127.0.0.1, and an authority of strangers."""
    openssl = require_command("openssl")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for name in ("ca", "strangers"):
        made = ["-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}"]
        subprocess.run(
            [openssl, "req", "-x509", *new_key, *made], cwd=folder, check=True, capture_output=True
        )
    made = ["-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server"]
    subprocess.run([openssl, "req", *new_key, *made], cwd=folder, check=True, capture_output=True)
    (folder / "names").write_text(f"subjectAltName=IP:{HOST}")
    sign = ["-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial"]
    subprocess.run(
        [openssl, "x509", "-req", *sign, "-out", "server.pem", "-extfile", "names"],
        cwd=folder,
        check=True,
        capture_output=True,
    )


def test_tls_verifies_the_broker(tmp_path: Path):
    make_certificates(tmp_path)
    files = {"certfile": tmp_path / "server.pem", "keyfile": tmp_path / "server.key"}
    with mosquitto(tmp_path, **files) as broker:
        cases = (
            (HOST, ["--ca", str(tmp_path / "ca.pem")], "ready"),
            (HOST, ["--ca", str(tmp_path / "strangers.pem")], "failing"),
            (HOST, [], "failing"),
            ("localhost", ["--ca", str(tmp_path / "ca.pem")], "failing"),
        )
        for host, options, event in cases:
            process = Process(tmp_path, f"mqtts://{host}:{broker.port}", *options)
            try:
                found = process.wait_for(event)
                if event == "failing":
                    assert found["code"] == "sync.offline", found
                    assert "certificate verify failed" in found["text"]
                    assert process.of("ready") == []
            finally:
                process.kill()


def test_state_follows_the_last_will(broker: Broker, tmp_path: Path):
    def state() -> list[tuple]:
        return query(process.path, "SELECT state FROM gateways")

    with receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            gateway.client.publish(STATE_TOPIC, b"online", 1, True).wait_for_publish(20)
            wait_until(lambda: state() == [("online",)], "online")
            # Closed without DISCONNECT, so that the broker publishes the will.
            gateway.client.loop_stop()
            connection = gateway.client.socket()
            assert connection is not None
            connection.close()
            wait_until(lambda: state() == [("offline",)], "offline")


def test_for_people_it_says_what_happens(broker: Broker, tmp_path: Path, journal: Journal):
    with receiving(tmp_path, broker, json=False) as process:
        wait_until(lambda: any("ready" in line for line in process.lines), "it says ready")
        with gateway_on(broker) as gateway:
            gateway.send(b"garbage")
            gateway.send(journal.batch(0, 9))
            wait_until(lambda: gateway.acked == 9, "acknowledged")
        assert process.stop()[0] == 0
    assert "quarantined[data.pack]: packed data cannot be read" in process.errors.read_text()
    assert "batches 1  records 10" in process.lines[-1]
