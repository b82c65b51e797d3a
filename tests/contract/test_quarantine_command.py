"""`carbontally quarantine` on what a real receiver refused, before and after the fix."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync.key_edit import add_key
from cloud_sync.keys import Key, Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.address import open_store
from cloud_sync.verify import verify_store
from tests.contract.brokers import HOST, free_port, mosquitto, wait_until
from tests.contract.receive_process import gateway_on, query, receiving
from tests.unit.receiver_journal import (
    GATEWAY,
    KEY,
    NOW_MS,
    OTHER_KEY,
    TENANT,
    TOPIC,
    World,
    factory,
)

OWNER = (TENANT, GATEWAY)
NAME = f"{TENANT}/{GATEWAY}"
JOURNAL = factory(polls=10)


def command(folder: Path, *arguments: str) -> tuple[int, list[str], str]:
    ended = subprocess.run(
        [sys.executable, "-m", "edge", "quarantine", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        timeout=60,
        cwd=folder,
    )
    return ended.returncode, ended.stdout.splitlines(), ended.stderr


STORE = ("--store", "sqlite:///cloud.db")


@pytest.mark.system
def test_a_batch_under_a_new_key_is_stored_and_acknowledged_once_the_key_is_there(tmp_path: Path):
    with mosquitto(tmp_path) as broker, receiving(tmp_path, broker) as process:
        process.wait_for("ready")
        with gateway_on(broker) as gateway:
            gateway.send(b"poison")
            gateway.send(JOURNAL.batch(0, 9, OTHER_KEY))
            gateway.send(JOURNAL.batch(10, 14, OTHER_KEY))
            process.wait_for("quarantined", 3)
            # Nothing of that held up the gateway itself.
            gateway.send(JOURNAL.batch(0, 3))
            wait_until(lambda: gateway.acked == 3, "a good batch after bad ones")
            status, lines, _ = command(tmp_path, "list", *STORE, "--json")
            rows = [json.loads(line) for line in lines]
            assert status == 0 and [row["code"] for row in rows] == [
                *("data.pack", "sync.mac", "sync.mac")
            ]
            assert all(row["gateway"] == NAME and row["whole"] for row in rows)
            replay = ("replay", *STORE, "--keys", "keys.toml", "--json")
            status, lines, _ = command(tmp_path, *replay)
            assert status == 65 and len(query(process.path, "SELECT id FROM quarantine")) == 3

            (tmp_path / "keys.toml").unlink()
            add_key(tmp_path / "keys.toml", OWNER, Key(KEY))
            add_key(tmp_path / "keys.toml", OWNER, Key(OTHER_KEY))
            gateway.keys = (KEY, OTHER_KEY)
            url = f"mqtt://{HOST}:{broker.port}"
            status, lines, _ = command(tmp_path, *replay, "--broker", url)
            told = [json.loads(line) for line in lines]
            assert status == 65
            assert [(row["status"], row["code"]) for row in told] == [
                ("refused", "data.pack"),
                ("stored", None),
                ("stored", None),
            ]
            wait_until(lambda: gateway.acked == 14, "the ack of what was replayed")
        assert query(process.path, "SELECT code FROM quarantine") == [("data.pack",)]
    assert verify_store(process.path).journals[0].head == 14


def test_the_command_refuses_what_it_cannot_do(tmp_path: Path):
    World(tmp_path / "cloud.db").store.close()
    add_key(tmp_path / "keys.toml", OWNER, Key(KEY))
    for arguments, word in (
        (("lst", *STORE), "list"),
        (("show", *STORE), "ID"),
        (("show", "7", *STORE), "ID"),
        (("show", "x", *STORE), "ID"),
        (("replay", *STORE), "--keys"),
        (("replay", "7", *STORE, "--keys", "keys.toml"), "ID"),
        (("list",), "--store"),
    ):
        status, _, err = command(tmp_path, *arguments)
        assert status == 2 and "error[usage.value]" in err and word in err
    status, _, err = command(tmp_path, "list", "--store", "sqlite:///none.db")
    assert status == 74 and not (tmp_path / "none.db").exists()
    status, lines, _ = command(tmp_path, "replay", *STORE, "--keys", "keys.toml")
    assert (status, lines) == (0, ["0 of 0 stored, 0 stay in quarantine"])


def test_what_was_not_kept_whole_says_so_and_acks_need_a_broker(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    world.receiver.receive("carbontally/v1/park/nobody/batch", b"stranger")
    world.receiver.receive(TOPIC, b"\x9c" + bytes(70_000))
    world.receiver.receive(TOPIC, JOURNAL.batch(0, 4, OTHER_KEY))
    world.receiver.receive(TOPIC, JOURNAL.batch(0, 4, OTHER_KEY))
    world.store.close()
    add_key(tmp_path / "keys.toml", OWNER, Key(OTHER_KEY))
    status, lines, _ = command(tmp_path, "list", *STORE)
    assert status == 0 and len(lines) == 3
    assert [line.endswith("not kept whole") for line in lines] == [True, True, False]
    assert " x2  [sync.mac]" in lines[2]
    status, lines, _ = command(tmp_path, "list", *STORE, "--gateway", NAME, "--json")
    assert status == 0 and len(lines) == 2
    shown = str(json.loads(lines[1])["id"])
    status, lines, _ = command(tmp_path, "show", shown, *STORE, "--json")
    row = json.loads(lines[0])
    assert bytes.fromhex(row["payload"]) == JOURNAL.batch(0, 4, OTHER_KEY)
    assert row["claims"] == {
        "version": 1,
        "gateway": GATEWAY,
        "epoch": JOURNAL.epoch.hex(),
        "first": 0,
    }
    status, lines, _ = command(tmp_path, "show", shown, *STORE)
    assert status == 0 and lines[-1].endswith(" ...")
    nowhere = ("--broker", f"mqtt://{HOST}:{free_port()}")
    one = ("replay", shown, *STORE, "--keys", "keys.toml")
    status, lines, err = command(tmp_path, *one, *nowhere)
    assert status == 69 and "sync.offline" in err and lines[0].endswith("stored")
    world = World(tmp_path / "cloud.db")
    assert world.count("records") == 5 and world.count("quarantine") == 2
    world.store.close()
    status, lines, _ = command(tmp_path, "replay", *STORE, "--keys", "keys.toml")
    assert status == 65 and lines[-1] == "0 of 2 stored, 2 stay in quarantine"
    assert all(line.endswith("incomplete") for line in lines[:-1])


def test_a_key_that_begins_later(tmp_path: Path):
    """Replay judges by the keys of now, through the same receiver."""
    world = World(tmp_path / "cloud.db", {OWNER: (Key(KEY, from_ms=NOW_MS + 1_000),)})
    world.receiver.receive(TOPIC, JOURNAL.batch(0, 4))
    assert world.query("SELECT code FROM quarantine") == [("sync.key",)]
    world.store.close()
    add_key(tmp_path / "keys.toml", OWNER, Key(KEY, from_ms=NOW_MS + 1_000))
    expired = Key(OTHER_KEY, until_ms=1_000)
    add_key(tmp_path / "keys.toml", OWNER, expired)
    status, lines, _ = command(tmp_path, "replay", *STORE, "--keys", "keys.toml")
    assert (status, lines[-1]) == (0, "1 of 1 stored, 0 stay in quarantine")


@pytest.mark.system
def test_postgresql(tmp_path: Path, postgres_server):
    url = postgres_server.create()
    store = open_store(url)
    receiver = Receiver(store, Keys({OWNER: KEY}), lambda: NOW_MS)
    for payload in (b"poison", JOURNAL.batch(0, 4, OTHER_KEY)):
        receiver.receive(TOPIC, payload)
    store.close()
    add_key(tmp_path / "keys.toml", OWNER, Key(OTHER_KEY))
    place = ("--store", url)
    status, lines, _ = command(tmp_path, "list", *place, "--json")
    rows = [json.loads(line) for line in lines]
    assert status == 0 and [row["code"] for row in rows] == ["data.pack", "sync.mac"]
    status, lines, _ = command(
        tmp_path, "replay", *place, "--keys", "keys.toml", "--gateway", NAME
    )
    assert status == 65 and lines[-1] == "1 of 2 stored, 1 stay in quarantine"
    status, lines, _ = command(tmp_path, "show", str(rows[0]["id"]), *place, "--json")
    assert bytes.fromhex(json.loads(lines[0])["payload"]) == b"poison"
    store = open_store(url, read_only=True)
    assert store.query("SELECT code FROM quarantine") == [("data.pack",)]
    assert store.query("SELECT head_seq FROM journals") == [(4,)]
    store.close()
