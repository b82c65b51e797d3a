"""Bad input from the network: a broker that refuses, batches and acknowledgements that lie."""

import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from edge.core.sync.ack import Ack, encode_ack
from edge.core.sync.batch import decode_batch, encode_batch
from hil_tests.processes import Command
from hil_tests.site import FACTORY, GATEWAY, KEY, TENANT, Site, write_secret
from hil_tests.witness import judge_cloud, read_cloud, read_journal, read_quarantine
from tests.contract.brokers import HOST, Broker, mosquitto, wait_until

pytestmark = pytest.mark.system

BATCH = f"carbontally/v1/{TENANT}/{GATEWAY}/batch"
ACK = f"carbontally/v1/{TENANT}/{GATEWAY}/ack"
OTHER_KEY = KEY[::-1]


class Intruder:
    """A paho client that overhears every batch and publishes what it likes."""

    def __init__(self, port: int) -> None:
        self.batches: list[bytes] = []
        self._is_subscribed = threading.Event()
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id="intruder")
        self._client.on_message = lambda *args: self.batches.append(args[2].payload)
        self._client.on_subscribe = lambda *_: self._is_subscribed.set()
        self._client.connect(HOST, port)
        self._client.subscribe(BATCH, 1)
        self._client.loop_start()
        assert self._is_subscribed.wait(10)

    def publish(self, topic: str, payload: bytes, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@contextmanager
def intruder(port: int) -> Iterator[Intruder]:
    running = Intruder(port)
    try:
        yield running
    finally:
        running.close()


def check_delivery(site: Site) -> None:
    """The cloud has the journal, byte for byte, and only readings that were on the wire."""
    journal = read_journal(site.journal)
    assert journal.broken is None
    cloud = read_cloud(site.cloud, journal.epoch)
    assert [entry.raw for entry in cloud] == [entry.raw for entry in journal.entries]
    findings = judge_cloud(site.cloud, site.ledger)
    assert findings.wrong == []
    assert findings.good > 50


def set_passwords(broker: Broker, folder: Path, passwords: dict[str, str]) -> None:
    """Have the running broker know these users."""
    program = shutil.which("mosquitto_passwd")
    assert program is not None
    path = folder / f"passwords-{broker.port}"
    path.write_text("".join(f"{name}:{text}\n" for name, text in passwords.items()))
    subprocess.run([program, "-U", str(path)], check=True)
    assert broker.process is not None
    broker.process.send_signal(signal.SIGHUP)


def test_a_broker_that_refuses_holds_nothing_up(tmp_path: Path) -> None:
    right = {"gw": "trombone", "cloud": "clarinet"}
    with mosquitto(tmp_path, users={**right, "gw": "changed"}) as broker:
        site = Site(tmp_path, broker.port, FACTORY[3:6], poll_ms=300)
        site.document["uplink"].update(user="gw", password_file="password")
        site.write()
        write_secret(tmp_path / "password", right["gw"] + "\n")
        write_secret(tmp_path / "cloud-password", right["cloud"] + "\n")
        options = ["--user", "cloud", "--password-file", str(tmp_path / "cloud-password")]
        with site.emulator(), site.run_receiver(*options), site.run_gateway() as gateway:
            refused = gateway.wait_status(
                lambda e: e["uplink"]["error"] == "sync.refused", "it is refused"
            )
            assert refused["uplink"]["state"] != "online"
            gateway.wait_status(
                lambda e: (
                    e["journal"]["head_seq"] > refused["journal"]["head_seq"] + 20
                    and all(device["quality"] == "good" for device in e["devices"])
                ),
                "polling goes on",
            )
            assert gateway.events[-1]["journal"]["acked_seq"] == -1
            assert gateway.events[-1]["uplink"]["error"] == "sync.refused"
            set_passwords(broker, tmp_path, right)
            online = gateway.wait_status(
                lambda e: e["journal"]["acked_seq"] > 20, "everything arrives", 30
            )
            assert online["uplink"] == {**online["uplink"], "state": "online", "error": None}
            assert gateway.stop()[0] == 0
    check_delivery(site)
    codes = [code for code, _ in read_journal(site.journal).events()]
    assert codes.count("sync.refused") == 1
    assert "trombone" not in gateway.errors


def lies(batch: bytes) -> dict[str, tuple[str, bytes]]:
    """Name -> (code, payload) of what a receiver must refuse, made from a genuine batch."""
    genuine = decode_batch(batch, KEY)
    records, last = genuine.records, genuine.hashes[-1]
    before = genuine.hash_before
    head = (GATEWAY, genuine.epoch, before)
    other = (*records[:-1], records[-1]._replace(wall_ms=records[-1].wall_ms + 1))
    flipped = batch[: len(batch) // 2] + bytes([batch[len(batch) // 2] ^ 1])
    return {
        "no MessagePack": ("data.pack", b"\xc1" * 40),
        "nothing": ("data.pack", b""),
        "another thing": ("data.record", b"\x93\x01\x02\x03"),
        "too large": ("data.pack", batch + bytes(70_000)),
        "cut": ("data.pack", batch[:-5]),
        "one bit": ("sync.mac", flipped + batch[len(flipped) :]),
        "wrong key": ("sync.mac", encode_batch(*head, records, last, OTHER_KEY)),
        "changed record": ("sync.chain", encode_batch(*head, other, last, KEY)),
    }


def test_batches_that_lie_are_set_aside_and_the_others_go_on(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port, FACTORY[3:6], poll_ms=300)
        with (
            intruder(broker.port) as paho_client,
            site.emulator(),
            site.run_receiver() as receiver,
            site.run_gateway() as gateway,
        ):
            wait_until(lambda: paho_client.batches, "a batch passes by")
            batch = paho_client.batches[0]
            wanted = {}
            for name, (code, payload) in lies(batch).items():
                after = len(receiver.events)
                paho_client.publish(BATCH, payload)
                found = receiver.wait_for(lambda e: e["event"] == "quarantined", name, after)
                assert (name, found["code"]) == (name, code)
                assert found["gateway"] == f"{TENANT}/{GATEWAY}"
                wanted[payload] = code
            _check_strangers(paho_client, receiver, batch)
            acked = gateway.events[-1]["journal"]["acked_seq"]
            gateway.wait_status(lambda e: e["journal"]["acked_seq"] > acked + 5, "it goes on")
            assert gateway.stop()[0] == 0
            assert receiver.stop()[0] == 0
    check_delivery(site)
    owner = f"{TENANT}/{GATEWAY}"
    refused = read_quarantine(site.cloud)
    assert [code for who, code in refused if who == owner] == list(wanted.values())
    assert [code for who, code in refused if who == ""] == ["sync.unknown_gateway"]


def _check_strangers(paho_client: Intruder, receiver: Command, batch: bytes) -> None:
    """A genuine batch under an unknown name, and the same batch again."""
    after = len(receiver.events)
    paho_client.publish(BATCH.replace(GATEWAY, "gw-9"), batch)
    receiver.wait_for(lambda e: e.get("code") == "sync.unknown_gateway", "unknown", after)
    paho_client.publish(BATCH, batch)
    again = receiver.wait_for(
        lambda e: e["event"] == "stored" and e["first"] == 0, "the replay", after
    )
    assert (again["new"], again["readings"]) == (0, 0)


def false_acks(ack: Ack) -> list[bytes]:
    """What a gateway must not believe, made from an acknowledgement that would be right."""
    return [
        b"\xc1",
        encode_ack(ack, OTHER_KEY),
        encode_ack(ack._replace(gateway="gw-2"), KEY),
    ]


def knowing_acks(ack: Ack) -> list[bytes]:
    """Authentic ones by which the cloud knows this journal otherwise than the disk does."""
    return [
        encode_ack(ack._replace(seq=ack.seq + 1_000_000), KEY),
        encode_ack(ack._replace(hash=bytes(32)), KEY),
    ]


def test_acknowledgements_that_lie_release_nothing(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port, FACTORY[3:6], poll_ms=300)
        with (
            intruder(broker.port) as paho_client,
            site.emulator(),
            site.run_gateway() as gateway,
        ):
            wait_until(lambda: paho_client.batches, "a batch passes by")
            genuine = decode_batch(paho_client.batches[0], KEY)
            seq, head = genuine.records[-1].seq, genuine.hashes[-1]
            ack = Ack(GATEWAY, genuine.epoch, seq, head, (), 1_800_000_000_000, None)
            # Of another incarnation of the journal, and so none of its business.
            paho_client.publish(ACK, encode_ack(ack._replace(epoch=bytes(8)), KEY), retain=True)
            for number, payload in enumerate(false_acks(ack), 1):
                paho_client.publish(ACK, payload, retain=True)
                wait_until(partial(_has_said, site, number), f"lie {number} is noticed")
            status = gateway.wait_status(lambda e: e["journal"]["head_seq"] > 40, "it polls on")
            assert status["journal"]["acked_seq"] == -1
            assert status["uplink"]["state"] == "online"
            with site.run_receiver() as receiver:
                gateway.wait_status(lambda e: e["journal"]["acked_seq"] > 40, "acked", 40)
                assert gateway.stop()[0] == 0
                assert receiver.stop()[0] == 0
    check_delivery(site)
    assert _said(site) == ["data.pack", "sync.mac", "sync.ack"]


@pytest.mark.parametrize("which", [0, 1])
def test_an_acknowledgement_of_what_the_disk_has_not_begins_a_new_epoch(
    tmp_path: Path, which: int
) -> None:
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port, FACTORY[3:6], poll_ms=300)
        with (
            intruder(broker.port) as paho_client,
            site.emulator(),
            site.run_gateway() as gateway,
        ):
            wait_until(lambda: paho_client.batches, "a batch passes by")
            genuine = decode_batch(paho_client.batches[0], KEY)
            seq, head = genuine.records[-1].seq, genuine.hashes[-1]
            ack = Ack(GATEWAY, genuine.epoch, seq, head, (), 1_800_000_000_000, None)
            paho_client.publish(ACK, knowing_acks(ack)[which], retain=True)
            epoch = genuine.epoch.hex()
            gateway.wait_status(lambda e: e["epoch"] != epoch, "a new epoch begins")
            with site.run_receiver() as receiver:
                gateway.wait_status(lambda e: e["journal"]["acked_seq"] > 40, "acked", 40)
                assert gateway.stop()[0] == 0
                assert receiver.stop()[0] == 0
    check_delivery(site)
    assert _said(site) == ["sync.rewound"]
    assert "journal.salvaged" in [code for code, _ in read_journal(site.journal).events()]


def _said(site: Site) -> list[str]:
    codes = [code for code, _ in read_journal(site.journal).events()]
    return [code for code in codes if code.partition(".")[0] in ("data", "sync")]


def _has_said(site: Site, number: int) -> bool:
    return len(_said(site)) == number
