"""Keys that begin, end, overlap and are taken back, at the receiver and in `carbontally keys`."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_sync.key_edit import add_key, remove_key, revoke_key
from cloud_sync.keys import Key, WatchedKeys, read_keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.sqlite import SqliteStore
from edge.core.errors import ConfigError, UsageError
from edge.core.sync import topics
from edge.core.sync.ack import decode_ack

from .port_doubles import KEY as SITE_KEY
from .receiver_journal import GATEWAY, KEY, NOW_MS, OTHER_KEY, TENANT, TOPIC, World, factory
from .virtual_site import ACK_TOPIC, HOUR_MS, Site

OWNER = (TENANT, GATEWAY)
JOURNAL = factory(polls=6)


def world_of(path: Path, *keys: Key) -> World:
    return World(path / "cloud.db", {OWNER: keys})


def code_of(world: World) -> object:
    return world.notices[-1][1].get("code")


def test_two_keys_are_valid_while_one_takes_over_from_the_other(tmp_path: Path):
    world = world_of(tmp_path, Key(OTHER_KEY), Key(KEY))
    for first, last, key in ((0, 3, OTHER_KEY), (4, 6, KEY), (7, 9, OTHER_KEY)):
        reply = world.receiver.receive(TOPIC, JOURNAL.batch(first, last, key))
        # The gateway has the key that it signed with, and no other.
        assert reply is not None and decode_ack(reply.payload, GATEWAY, key).seq == last
    assert world.count("records") == 10 and world.count("quarantine") == 0
    world.store.close()


@pytest.mark.parametrize(
    ("key", "before", "at", "after"),
    [
        (Key(KEY, from_ms=NOW_MS), "sync.key", None, None),
        (Key(KEY, until_ms=NOW_MS), None, "sync.key", "sync.key"),
        (Key(KEY, NOW_MS, NOW_MS + 1), "sync.key", None, "sync.key"),
        (Key(KEY, revoked="cabinet broken open"), "sync.key", "sync.key", "sync.key"),
    ],
)
def test_a_key_is_valid_within_its_times(tmp_path: Path, key: Key, before, at, after):
    world = world_of(tmp_path, key)
    payload = JOURNAL.batch(0, 5)
    for now_ms, code in ((NOW_MS - 1, before), (NOW_MS, at), (NOW_MS + 1, after)):
        world.now_ms = now_ms
        count = world.count("records")
        reply = world.receiver.receive(TOPIC, payload)
        assert code_of(world) == code and (reply is None) == (code is not None)
        assert code is None or world.count("records") == count
    world.store.close()


def test_a_revoked_key_is_answered_nothing_while_the_new_one_works(tmp_path: Path):
    world = world_of(tmp_path, Key(OTHER_KEY, revoked="lost"), Key(KEY))
    assert world.receiver.receive(TOPIC, JOURNAL.batch(0, 3, OTHER_KEY)) is None
    assert code_of(world) == "sync.key" and world.count("records") == 0
    assert world.notices[-1][1]["reason"] == "revoked: lost"
    assert world.receiver.receive(TOPIC, JOURNAL.batch(0, 3, bytes(32))) is None
    assert code_of(world) == "sync.mac"
    assert world.receiver.receive(TOPIC, JOURNAL.batch(0, 3)) is not None
    world.store.close()


def test_a_fork_is_an_alarm_under_either_key(tmp_path: Path):
    world = world_of(tmp_path, Key(OTHER_KEY), Key(KEY))
    world.receiver.receive(TOPIC, JOURNAL.batch(0, 5))
    other = factory(polls=6, seed=9)
    reply = world.receiver.receive(TOPIC, other.batch(0, 5, OTHER_KEY))
    assert reply is not None and decode_ack(reply.payload, GATEWAY, OTHER_KEY).seq == 5
    assert world.query("SELECT code FROM alarms") == [("sync.fork",)]
    world.store.close()


def test_tenants_with_one_gateway_id_stay_apart(tmp_path: Path):
    world = World(tmp_path / "cloud.db", {OWNER: KEY, ("works", GATEWAY): OTHER_KEY})
    for tenant, key in ((TENANT, OTHER_KEY), ("works", KEY)):
        topic = f"carbontally/v1/{tenant}/{GATEWAY}/batch"
        assert world.receiver.receive(topic, JOURNAL.batch(0, 5, key)) is None
        assert code_of(world) == "sync.mac"
    assert world.count("records") == 0
    world.receiver.receive(f"carbontally/v1/works/{GATEWAY}/batch", JOURNAL.batch(0, 5, OTHER_KEY))
    assert set(world.query("SELECT tenant FROM v_records")) == {("works",)}
    world.store.close()


def test_a_revocation_holds_from_the_next_message_on(tmp_path: Path):
    path, failures = tmp_path / "keys.toml", []
    add_key(path, OWNER, Key(KEY))
    world = World(tmp_path / "cloud.db")
    keys = WatchedKeys(path, failures.append)
    receiver = Receiver(world.store, keys, lambda: NOW_MS)
    assert receiver.receive(TOPIC, JOURNAL.batch(0, 3)) is not None
    revoke_key(path, Key(KEY).id, "stolen")
    assert receiver.receive(TOPIC, JOURNAL.batch(4, 6)) is None
    assert world.query("SELECT code FROM quarantine") == [("sync.key",)]
    path.write_text("no key file")
    for _ in range(2):
        assert receiver.receive(TOPIC, JOURNAL.batch(4, 6)) is None
    assert [error.code for error in failures] == ["config.syntax"]
    assert world.query("SELECT code FROM quarantine") == [("sync.key",)]
    world.store.close()


class SiteWith(Site):
    """A gateway in virtual time, and a receiver that may answer it nothing."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        super().__init__()

    def answer(self) -> None:
        fresh, self.seen = self.uplink.sent[self.seen :], len(self.uplink.sent)
        for topic, payload, *_ in fresh:
            if topic.endswith(topics.BATCH) and (reply := self.receiver.receive(topic, payload)):
                self.uplink.inbox.append((ACK_TOPIC, reply.payload))


def test_a_gateway_that_is_registered_late_loses_nothing(tmp_path: Path):
    """What it sent before leaves no payload behind: it sends all of that again."""
    path = tmp_path / "keys.toml"
    add_key(path, (TENANT, "another"), Key(OTHER_KEY))
    store = SqliteStore(tmp_path / "cloud.db")
    site = SiteWith(Receiver(store, WatchedKeys(path, lambda error: None), lambda: NOW_MS))
    site.run(HOUR_MS)
    refused = store.query("SELECT code, payload FROM quarantine")
    assert set(refused) == {("sync.unknown_gateway", None)} and site.store.acked_seq == -1
    add_key(path, ("wuxi", "gw-1"), Key(SITE_KEY))
    site.run(HOUR_MS + 300_000)
    site.stop()
    assert site.store.acked_seq == site.store.next_seq - 1 > 100
    assert store.query("SELECT count(*) FROM records") == [(site.store.next_seq,)]
    store.close()


HAND_MADE = f"""# Our gateways.
[park.gw-1] # [the first] one
key = "{KEY.hex()}"

[park."gw ]2"]
# of the other works
key = "{OTHER_KEY.hex()}"
"""


def test_a_file_is_changed_in_place(tmp_path: Path):
    path = tmp_path / "keys.toml"
    path.write_text(HAND_MADE)
    path.chmod(0o600)
    until_ms = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * 1000
    add_key(path, OWNER, Key(b"n" * 32, 1_000, until_ms))
    add_key(path, ("park", "gw ]2"), Key(b"m" * 32))
    revoke_key(path, Key(KEY).id, 'he said "lost"')
    text = path.read_text()
    for line in HAND_MADE.splitlines():
        assert line in text or line.startswith("[")
    assert "[[park.gw-1]] # [the first] one\n" in text
    keys = read_keys(path)
    assert keys.of(*OWNER) == (
        Key(KEY, revoked='he said "lost"'),
        Key(b"n" * 32, 1_000, until_ms),
    )
    assert keys.of("park", "gw ]2") == (Key(OTHER_KEY), Key(b"m" * 32))
    assert keys.find(*OWNER) == b"n" * 32
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(UsageError):
        revoke_key(path, Key(KEY).id, "again")


def test_a_key_is_removed_with_its_lines_and_nothing_else(tmp_path: Path):
    path = tmp_path / "keys.toml"
    path.write_text(HAND_MADE + "\n# The end.\n")
    path.chmod(0o600)
    add_key(path, OWNER, Key(b"n" * 32, 1_000, NOW_MS))
    revoke_key(path, Key(KEY).id, "lost")
    for identity, now_ms in (("", 0), (Key(OTHER_KEY).id, 0), (Key(b"n" * 32).id, NOW_MS - 1)):
        with pytest.raises(UsageError):
            remove_key(path, identity, now_ms)
    assert remove_key(path, Key(KEY).id, 0) == (OWNER, Key(KEY, revoked="lost"))
    assert read_keys(path).of(*OWNER) == (Key(b"n" * 32, 1_000, NOW_MS),)
    assert remove_key(path, Key(b"n" * 32).id, NOW_MS)[0] == OWNER
    assert not read_keys(path).has(*OWNER), "the gateway is not registered any more"
    left = HAND_MADE.splitlines()
    assert path.read_text().split("\n") == [left[0], *left[3:], "", "# The end.", "", ""]
    assert path.stat().st_mode & 0o777 == 0o600


def test_the_last_of_eight_keys_makes_room(tmp_path: Path):
    path = tmp_path / "keys.toml"
    secrets = [bytes([number]) * 32 for number in range(9)]
    for secret in secrets[:8]:
        add_key(path, OWNER, Key(secret))
    with pytest.raises(ConfigError, match="config.value"):
        add_key(path, OWNER, Key(secrets[8]))
    revoke_key(path, Key(secrets[3]).id, "old")
    remove_key(path, Key(secrets[3]).id, 0)
    add_key(path, OWNER, Key(secrets[8]))
    assert [key.secret for key in read_keys(path).of(*OWNER)] == secrets[:3] + secrets[4:]


@pytest.mark.parametrize(
    "form",
    [
        'park.gw-1 = {{ key = "{}", until = 2020-01-01T00:00:00Z }}',
        '[park]\ngw-1.key = "{}"\ngw-1.until = 2020-01-01T00:00:00Z',
    ],
)
def test_a_form_that_cannot_be_changed_in_place_is_left_alone(tmp_path: Path, form: str):
    path = tmp_path / "keys.toml"
    path.write_text(form.format(KEY.hex()))
    path.chmod(0o600)
    for change in (
        lambda: add_key(path, OWNER, Key(OTHER_KEY)),
        lambda: revoke_key(path, Key(KEY).id, "lost"),
        lambda: remove_key(path, Key(KEY).id, NOW_MS),
    ):
        with pytest.raises(ConfigError):
            change()
    assert path.read_text() == form.format(KEY.hex())


def command(folder: Path, *arguments: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        [sys.executable, "-m", "edge", "keys", *arguments, "--file", str(folder / "keys.toml")],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        timeout=60,
    )
    return ended.returncode, ended.stdout, ended.stderr


def test_the_command_shows_a_key_once(tmp_path: Path):
    status, out, _ = command(tmp_path, "add", "park/gw-1", "--json")
    made = json.loads(out)
    assert status == 0 and read_keys(tmp_path / "keys.toml").find(*OWNER) == bytes.fromhex(
        made["key"]
    )
    assert (tmp_path / "keys.toml").stat().st_mode & 0o777 == 0o600
    own = tmp_path / "device.key"
    own.write_text(OTHER_KEY.hex())
    own.chmod(0o600)
    later = ("--from", "2126-01-01T00:00:00+08:00")
    status, out, _ = command(tmp_path, "add", "park/gw-1", "--key-file", str(own), *later)
    assert status == 0 and OTHER_KEY.hex() not in out and "not valid yet" in out
    assert command(tmp_path, "revoke", made["id"], "--reason", "lost")[0] == 0
    status, out, err = command(tmp_path, "list", "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["id"], row["valid"], row["revoked"]) for row in rows] == [
        (made["id"], False, "lost"),
        (Key(OTHER_KEY).id, False, None),
    ]
    assert rows[1]["from"] == "2125-12-31T16:00:00+00:00"
    assert made["key"] not in out + err and OTHER_KEY.hex() not in out + err
    status, out, _ = command(tmp_path, "remove", made["id"], "--json")
    assert status == 0 and json.loads(out)["id"] == made["id"]
    assert len(command(tmp_path, "list")[1].splitlines()) == 1
    for arguments, word in (
        (("remove", made["id"]), "ID"),
        (("remove", Key(OTHER_KEY).id), "revoke it first"),
        (("revoke", made["id"], "--reason", "lost"), "ID"),
        (("revoke", Key(OTHER_KEY).id), "--reason"),
        (("add", "park"), "tenant/gateway"),
        (("add", "park/gw-1", "--until", "soon"), "--until"),
        (("ad",), "add"),
    ):
        status, _, err = command(tmp_path, *arguments)
        assert status == 2 and "error[usage.value]" in err and word in err
