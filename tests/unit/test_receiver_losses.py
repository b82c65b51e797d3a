"""Tombstones at the receiver: an explained hole closes, a contradicting one is an alarm."""

from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from edge.core.journal.record import Kind

from .receiver_journal import TOPIC, Journal, World, acked, factory


def journal_with_gap(first: int, last: int, changes: dict | None = None) -> tuple[Journal, int]:
    """A journal of which first..last are gone, and the seq of the tombstone that says so."""
    journal = factory(12)
    fields = {
        "first": first,
        "last": last,
        "reason": "minute",
        "start_ms": 1,
        "end_ms": 2,
        "count": last - first + 1,
        "hash_before": journal.hashes[first - 1],
        "hash_last": journal.hashes[last],
        **(changes or {}),
    }
    return journal, journal.append(Kind.TOMBSTONE, list(fields.values()))


def send(world: World, journal: Journal, *spans: tuple[int, int]):
    reply = None
    for first, last in spans:
        reply = world.receiver.receive(TOPIC, journal.batch(first, last))
    return acked(reply)


@pytest.mark.parametrize("order", ["tombstone first", "rows first", "overlapping"])
def test_a_hole_closes_with_its_tombstone(tmp_path: Path, order: str):
    journal, tomb = journal_with_gap(5, 14)
    world = World(tmp_path / "cloud.db")
    spans = {
        "tombstone first": [(0, 4), (tomb, tomb), (15, tomb)],
        "rows first": [(0, 4), (15, tomb - 1), (tomb, tomb)],
        "overlapping": [(0, 8), (12, 13), (tomb, tomb), (15, tomb)],
    }[order]
    ack = send(world, journal, *spans)
    assert (ack.seq, ack.hash, ack.gaps) == (tomb, journal.hashes[tomb], ())
    summary = verify_store(tmp_path / "cloud.db").journals[0]
    assert summary.ok and (summary.head, summary.missing) == (tomb, 0), summary
    assert world.count("alarms") == 0
    assert send(world, journal, (tomb, tomb)).seq == tomb, "again changes nothing"


def test_until_its_tombstone_comes_the_hole_is_a_gap(tmp_path: Path):
    journal, tomb = journal_with_gap(5, 14)
    world = World(tmp_path / "cloud.db")
    assert send(world, journal, (0, 4), (15, tomb - 1)).gaps == (5, 14)
    assert send(world, journal, (tomb, tomb)).seq == tomb


def test_a_restored_receiver_takes_the_rest_of_a_hole(tmp_path: Path):
    journal, tomb = journal_with_gap(5, 14)
    world = World(tmp_path / "cloud.db")
    ack = send(world, journal, (0, 9), (tomb, tomb))
    assert (ack.seq, ack.hash) == (14, journal.hashes[14])


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"hash_before": bytes(32)}, "sync.fork"),
        ({"hash_last": bytes(32)}, "sync.fork"),
        ({"last": 999_999, "count": 1}, "data.record"),
        ({"count": 0}, "data.record"),
        ({"first": "5"}, "data.record"),
    ],
)
def test_a_tombstone_that_contradicts_explains_nothing(tmp_path: Path, changes, code: str):
    journal, tomb = journal_with_gap(5, 14, changes)
    world = World(tmp_path / "cloud.db")
    ack = send(world, journal, (0, 4), (15, tomb))
    assert (ack.seq, ack.gaps) == (4, (5, 14))
    at = 4 if "hash_before" in changes else 14
    assert ack.fork == ((at, journal.hashes[at]) if code == "sync.fork" else None)
    assert [row[0] for row in world.query("SELECT code FROM alarms")] == [code]


def test_polls_that_memory_lost_explain_no_range(tmp_path: Path):
    journal = factory(3)
    journal.append(Kind.TOMBSTONE, [None, None, "memory", 1, 2, 9, None, None])
    world = World(tmp_path / "cloud.db")
    last = len(journal.records) - 1
    assert send(world, journal, (0, last)).seq == last
    assert world.count("alarms") == 0
    assert verify_store(tmp_path / "cloud.db").ok


def test_verification_misses_a_row_that_no_tombstone_explains(tmp_path: Path):
    journal, tomb = journal_with_gap(5, 14)
    world = World(tmp_path / "cloud.db")
    send(world, journal, (0, 4), (15, tomb))
    for table in ("records", "polls", "events", "intervals", "interval_streams"):
        world.store._db.execute(f"DELETE FROM {table} WHERE seq = 17")
    summary = verify_store(tmp_path / "cloud.db").journals[0]
    assert (summary.broken, summary.reason) == (17, "the record is not there")
