"""Batches that a gateway built, received: rows, heads and acknowledgements."""

import itertools
import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from edge.core.journal import chain
from edge.core.journal.record import Kind, decode_record, encode_record
from edge.core.sync.ack import Ack, decode_ack

from .receiver_journal import (
    EPOCH,
    GATEWAY,
    KEY,
    NOW_MS,
    OTHER_KEY,
    START_MS,
    TENANT,
    TOPIC,
    Journal,
    World,
    acked,
    content,
    factory,
)

GENESIS = chain.genesis(GATEWAY, EPOCH)


@pytest.fixture
def world(tmp_path: Path):
    world = World(tmp_path / "cloud.db")
    yield world
    world.store.close()


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=20)


def iso(wall_ms: int) -> str:
    moment = datetime.fromtimestamp(wall_ms // 1000, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{wall_ms % 1000:03d}Z"


def test_every_record_is_stored_raw_and_acknowledged(world: World, journal: Journal):
    last = len(journal.records) - 1
    ack = acked(world.receiver.receive(TOPIC, journal.batch(0, last)))
    assert ack == Ack(GATEWAY, EPOCH, last, journal.hashes[last], (), NOW_MS, None)
    rows = world.query("SELECT seq, kind, boot, mono_ms, wall_ms, hash, body FROM records")
    assert len(rows) == len(journal.records)
    for row, record, digest in zip(rows, journal.records, journal.hashes, strict=True):
        assert row[:5] == (record.seq, record.kind, 1, record.mono_ms, record.wall_ms)
        assert row[5] == digest and row[6] == encode_record(record)
        assert decode_record(row[6]) == record
    assert [name for name, _ in world.notices] == ["stored"]
    assert world.notices[0][1]["head"] == last
    assert verify_store(world.path).ok


def test_readings_are_exact_in_the_view(world: World, journal: Journal):
    world.receiver.receive(TOPIC, journal.batch(0, len(journal.records) - 1))
    found = world.query(
        "SELECT seq, device, point, unit, value, quality, wall_ms, value_real, time, clock,"
        " tenant, gateway, epoch FROM v_readings ORDER BY seq, device, point"
    )
    expected = sorted(journal.readings, key=lambda r: (r.seq, r.device, r.point))
    assert len(found) == len(expected) == 20 * 5
    assert [row[:7] for row in found] == [tuple(reading) for reading in expected]
    for row, reading in zip(found, expected, strict=True):
        assert row[7] == (None if reading.value is None else float(reading.value))
        assert row[8] == iso(reading.wall_ms)
        assert row[9:] == ("synced", TENANT, GATEWAY, EPOCH.hex())
    assert {r.quality for r in expected} == {"good", "timeout", "sentinel"}


def test_intervals_and_streams_are_exact_in_their_views(world: World, journal: Journal):
    world.receiver.receive(TOPIC, journal.batch(0, len(journal.records) - 1))
    seqs = [r.seq for r in journal.records if r.kind == Kind.INTERVAL]
    found = world.query(
        "SELECT seq, start_ms, end_ms, scope1_kg, scope2_kg, consumption_kwh,"
        " intensity_kg_per_kwh, start FROM v_intervals ORDER BY seq"
    )
    starts = [START_MS + 1000 * seq for seq in seqs]
    assert len(seqs) == 2
    assert found == [
        (*row, f"{iso(row[1])[:19]}Z")
        for row in (
            (seqs[0], starts[0], starts[0] + 60_000, None, "-0.056789", "1.234", "46.019449"),
            (seqs[1], starts[1], starts[1] + 60_000, None, "-0.056789", "1.234", "0.000000"),
        )
    ]
    streams = world.query(
        "SELECT seq, stream, kind, scope, activity, unit, emission_kg, good, expected, factor"
        " FROM v_streams ORDER BY seq"
    )
    entry = ("grid", "grid_import", 2, 1234, "W.h", "-0.056789", 10, 10, "grid_cn")
    assert streams == [(seq, *entry) for seq in seqs]


def test_events_and_definitions_have_rows(world: World, journal: Journal):
    world.receiver.receive(TOPIC, journal.batch(0, 5))
    assert world.query("SELECT seq, code, fields FROM events") == [
        (1, "boot", '{"count": 1, "raw": "ff", "why": "power"}')
    ]
    assert world.query("SELECT digest, version FROM configs") == [(b"c" * 32, "0.1.0")]
    assert world.query("SELECT name, digest FROM factor_sets") == [("cn_park", b"f" * 32)]
    assert world.query("SELECT number, name, station FROM devices") == [
        (0, "main meter", 1),
        (3, "stack", 4),
    ]
    assert world.query("SELECT numerator, denominator FROM streams") == [(5_810_000, 1000)]


def test_the_same_batch_again_stores_nothing_and_is_acknowledged_again(
    world: World, journal: Journal
):
    payload = journal.batch(0, 30)
    first = acked(world.receiver.receive(TOPIC, payload))
    before = content(world)
    world.now_ms += 5
    again = acked(world.receiver.receive(TOPIC, payload))
    assert again == first._replace(received_ms=NOW_MS + 5)
    assert content(world) == before
    assert world.notices[1][1]["new"] == 0


def test_every_order_of_four_batches_gives_the_same_database(tmp_path: Path, journal: Journal):
    last = len(journal.records) - 1
    payloads = journal.cut(8, 20, 21, last)
    contents = []
    for number, order in enumerate(itertools.permutations(range(4))):
        world = World(tmp_path / f"{number}.db")
        replies = [acked(world.receiver.receive(TOPIC, payloads[at])) for at in order]
        assert replies[-1].seq == last and replies[-1].gaps == ()
        contents.append(content(world))
        assert verify_store(world.path).ok
        world.store.close()
    assert len(contents) == 24
    assert all(one == contents[0] for one in contents)
    assert len(contents[0]["polls"]) == 40


def test_gaps_are_named_until_they_are_filled(world: World, journal: Journal):
    ack = acked(world.receiver.receive(TOPIC, journal.batch(5, 6)))
    assert (ack.seq, ack.hash, ack.gaps) == (-1, GENESIS, (0, 4))
    ack = acked(world.receiver.receive(TOPIC, journal.batch(10, 12)))
    assert (ack.seq, ack.gaps) == (-1, (0, 4, 7, 9))
    ack = acked(world.receiver.receive(TOPIC, journal.batch(0, 4)))
    assert (ack.seq, ack.hash, ack.gaps) == (6, journal.hashes[6], (7, 9))
    ack = acked(world.receiver.receive(TOPIC, journal.batch(7, 9)))
    assert (ack.seq, ack.gaps) == (12, ())
    assert world.query("SELECT first, last FROM ranges") == [(0, 12)]
    assert world.query("SELECT head_seq, head_hash FROM journals") == [(12, journal.hashes[12])]


def test_an_acknowledgement_names_sixteen_gaps_at_most(world: World, journal: Journal):
    for seq in range(1, 40, 2):
        ack = acked(world.receiver.receive(TOPIC, journal.batch(seq, seq)))
    assert ack.gaps == tuple(n for seq in range(0, 32, 2) for n in (seq, seq))


def test_batches_may_be_cut_anew_at_any_place(tmp_path: Path, journal: Journal):
    last = len(journal.records) - 1
    whole = World(tmp_path / "whole.db")
    whole.receiver.receive(TOPIC, journal.batch(0, last))
    draw = random.Random(5)
    for number in range(10):
        world = World(tmp_path / f"cut{number}.db")
        while not (rows := world.query("SELECT head_seq FROM journals")) or rows[0][0] < last:
            first = draw.randrange(0, last + 1)
            world.receiver.receive(
                TOPIC, journal.batch(first, min(first + draw.randrange(12), last))
            )
        assert content(world) == content(whole)
        assert world.count("quarantine") == 0
        world.store.close()
    whole.store.close()


def test_readings_wait_for_their_definition(world: World, journal: Journal):
    world.receiver.receive(TOPIC, journal.batch(2, 10))
    stored = world.count("readings")
    assert world.count("v_readings") == 0
    world.receiver.receive(TOPIC, journal.batch(0, 1))
    assert world.count("v_readings") == stored
    assert stored == sum(1 for reading in journal.readings if 2 <= reading.seq <= 10)


def test_epochs_and_tenants_are_kept_apart(tmp_path: Path):
    keys = {("park", "gw-1"): KEY, ("works", "gw-1"): OTHER_KEY}
    world = World(tmp_path / "cloud.db", keys)
    one, two = factory(4), factory(4, seed=2, epoch=b"epoch-02")
    other = factory(4, seed=3, key=OTHER_KEY)
    for journal, tenant in ((one, "park"), (two, "park"), (other, "works")):
        reply = world.receiver.receive(f"carbontally/v1/{tenant}/gw-1/batch", journal.batch(0, 9))
        assert reply is not None and reply.topic == f"carbontally/v1/{tenant}/gw-1/ack"
        assert decode_ack(reply.payload, "gw-1", journal.key).hash == journal.hashes[9]
    heads = world.query("SELECT tenant, gateway, epoch, head_seq FROM v_gateways")
    assert sorted(heads) == sorted(
        [
            ("park", "gw-1", EPOCH.hex(), 9),
            ("park", "gw-1", b"epoch-02".hex(), 9),
            ("works", "gw-1", EPOCH.hex(), 9),
        ]
    )
    assert world.count("gateways") == 2
    assert verify_store(world.path, "works/gw-1").journals[0].owner == "works/gw-1"
    world.store.close()


def test_extreme_values_survive_exactly(world: World):
    journal = Journal()
    points = (("low", "W", 18, "gauge"), ("high", "W", 18, "gauge"), ("whole", "W", 0, "gauge"))
    journal.define(devices=((0, "m", points),))
    journal.append(Kind.POLL, [0, [-(1 << 63), (1 << 63) - 1, -7], [], []])
    journal.append(Kind.POLL, [0, [-1, 1, 0], [], []])
    world.receiver.receive(TOPIC, journal.batch(0, 2))
    found = world.query("SELECT value FROM v_readings ORDER BY seq, point")
    assert [row[0] for row in found] == [
        "9.223372036854775807",
        "-9.223372036854775808",
        "-7",
        "0.000000000000000001",
        "-0.000000000000000001",
        "0",
    ]
    assert verify_store(world.path).ok
