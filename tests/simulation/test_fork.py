"""A disk put back while the cloud has records further on: journal on SQLite, the real receiver.

The whole gateway in virtual time, on a copy of the journal's files as of the afternoon before.
"""

import shutil
from pathlib import Path
from typing import Any

import msgpack
import pytest

from edge.app.gateway import Gateway
from edge.core.journal.record import Kind, decode_record
from edge.core.sync.batch import encode_batch
from edge.core.sync.topics import BATCH, topic
from edge.ports.linux.sqlite_store import SqliteStore
from edge.ports.sim.broker import Broker
from edge.ports.sim.clock import SimClock
from edge.ports.sim.link import SimLink
from edge.ports.sim.timeline import Timeline
from edge.ports.sim.uplink import SimUplink
from hil_tests.soak.cloud import Cloud
from hil_tests.soak.machine import start_gateway
from hil_tests.soak.site import (
    GATEWAY,
    HOUR_MS,
    KEY,
    NAMES,
    TENANT,
    TRUTH_MS,
    SiteMeter,
    read_settings,
)

Rows = list[tuple[bytes, bytes]]


class Site:
    """Gateway, broker and cloud; each start of the gateway is on the files of a folder."""

    def __init__(self) -> None:
        self.timeline = Timeline()
        self.broker = Broker(self.timeline)
        self.cloud = Cloud(self.timeline, self.broker)
        self.meters = {station: SiteMeter(station) for station in NAMES}
        self.gateway: Gateway | None = None

    def start(self, folder: Path) -> SqliteStore:
        store: Any = SqliteStore(folder / "journal.db", GATEWAY, 0)
        self.clock = SimClock(self.timeline, TRUTH_MS)
        link = SimLink(self.timeline, dict(self.meters), lambda _: None, lambda _: None)
        uplink = SimUplink(self.timeline, self.broker, GATEWAY, self._poke, lambda _: None)
        settings = read_settings(5_000, 900_000)
        self.gateway = start_gateway(settings, store, self.clock, link, uplink)
        return store

    def stop(self) -> None:
        assert self.gateway is not None
        self.gateway.uploader.close()
        self.gateway.recorder.store.close()
        self.gateway = None

    def run(self, hours: int) -> None:
        """Step when it is due, or when the network has something."""
        assert self.gateway is not None
        timeline, until_ms = self.timeline, self.timeline.now_ms + hours * HOUR_MS
        while timeline.now_ms < until_ms:
            for meter in self.meters.values():
                meter.now_ms = timeline.now_ms
            due_ms = self.clock.boot_ms + self.gateway.step(self.clock.mono_ms())
            wake_ms = max(timeline.now_ms + 1, min(due_ms, until_ms))
            self._poked = False
            while not self._poked and timeline.now_ms < wake_ms:
                timeline.advance(wake_ms)

    def _poke(self) -> None:
        self._poked = True

    def bar(self, hours: int) -> None:
        """No network for the gateway."""
        self.broker.bar(GATEWAY, hours * HOUR_MS)


def rows_of(store: SqliteStore, first: int = 0) -> Rows:
    return store.read(first, store.next_seq - 1)


def polls(rows: Rows) -> list[list[Any]]:
    """Boot, times and body of the polls."""
    records = [decode_record(data) for data, _ in rows]
    return [[*record[2:5], record.body] for record in records if record.kind == Kind.POLL]


def with_live_records_ahead(site: Site, tmp_path: Path) -> tuple[bytes, int, Rows]:
    """The cloud gets the beginning and, behind a hole, the end of a journal; a copy is put back.

    Returns its epoch, the seq of the first record behind the hole, and all its rows.
    """
    folder, copy = tmp_path / "disk", tmp_path / "copy"
    folder.mkdir()
    store = site.start(folder)
    site.run(2)
    site.bar(6)
    site.run(3)
    head_seq = store.next_seq - 1
    site.stop()
    shutil.copytree(folder, copy)
    store = site.start(folder)
    site.run(3)
    rows, epoch = rows_of(store), store.epoch
    first = len(rows) - 12
    assert first > head_seq
    records = tuple(decode_record(data) for data, _ in rows[first:])
    live = encode_batch(GATEWAY, epoch, rows[first - 1][1], records, rows[-1][1], KEY)
    reply = site.cloud._receiver.receive(topic(TENANT, GATEWAY, BATCH), live)
    assert reply is not None
    site.stop()
    shutil.rmtree(folder)
    copy.rename(folder)
    return epoch, first, rows


@pytest.mark.parametrize("dark_h", [1, 7], ids=["head below the hole", "head beyond"])
def test_a_fork_behind_a_hole_becomes_a_new_epoch(tmp_path: Path, dark_h: int):
    site = Site()
    old_epoch, first, before = with_live_records_ahead(site, tmp_path)
    site.bar(dark_h)
    store = site.start(tmp_path / "disk")
    site.run(dark_h)
    assert (store.next_seq > first + 1) == (dark_h == 7)
    unacked = polls(rows_of(store, store.acked_seq + 1))
    sent = site.broker.published
    site.run(3)
    assert store.epoch != old_epoch
    (told,) = [body for body in events(store) if body[0] == "sync.rewound"]
    assert told[1][0] == "reason" and "another hash at seq" in told[1][1]
    assert store.acked_seq == store.next_seq - 1
    assert site.broker.published - sent < 3 * 60, "it went on sending what is refused"
    cloud = site.cloud.rows()
    assert [*cloud[store.epoch]] == list(range(store.next_seq))
    old = cloud[old_epoch]
    stored = [*old.values(), *cloud[store.epoch].values()]
    there = polls([(body, digest) for digest, body in stored])
    assert [poll for poll in unacked if poll not in there] == [], "lost in the renewal"
    assert [old[seq] for seq in range(first, len(before))] == [
        (digest, data) for data, digest in before[first:]
    ], "what the cloud had was replaced"
    site.stop()


def events(store: SqliteStore) -> list[list[Any]]:
    return [msgpack.unpackb(data, raw=False)[6] for data in store.of_kind(Kind.EVENT)]
