"""Six hours of a real gateway in virtual time, and a cloud that has what it sent."""

import copy
from functools import cache
from pathlib import Path

from cloud_sync.keys import Keys
from cloud_sync.raw import Journal as Stored
from cloud_sync.raw import find_journals
from cloud_sync.receiver import Receiver
from cloud_sync.store.address import open_store
from cloud_sync.store.contract import Store
from edge.core.journal.record import Record, encode_record
from edge.core.sync.batch import decode_batch

from . import virtual_site
from .port_doubles import KEY
from .receiver_journal import Journal
from .virtual_site import HOUR_MS, Site

TENANT, GATEWAY = "wuxi", "gw-1"
STREAMS = [
    {
        "name": "grid",
        "kind": "grid_import",
        "point": "grid.energy",
        "factor": "electricity_fossil",
        "basis": [{"name": "national", "factor": "electricity_fossil"}],
    },
    {"name": "line", "kind": "memo", "point": "line.energy"},
    {"name": "rest", "kind": "memo", "plus": ["grid"], "minus": ["line"]},
    {"name": "half", "kind": "memo", "plus": ["line"], "share": "0.5"},
]


@cache
def six_hours() -> Site:
    """Six hours: an outage of one meter, a clean restart, a cut, and a swapped register."""
    document = copy.deepcopy(virtual_site.DOCUMENT)
    document["stream"] = STREAMS
    document["accounting"]["bases"] = ["national"]
    before, virtual_site.DOCUMENT = virtual_site.DOCUMENT, document
    try:
        site = Site()
        site.run(HOUR_MS)
        site.silent.add(2)
        site.run(2 * HOUR_MS)
        site.silent.clear()
        site.stop()
        site.start()
        site.run(3 * HOUR_MS + 400_000)
        site.start()  # a cut in the middle of an interval
        site.run(4 * HOUR_MS)
        site.shift_register = -2_000_000
        site.run(5 * HOUR_MS)
        site.shift_register = 0
        site.run(6 * HOUR_MS)
        site.stop()
    finally:
        virtual_site.DOCUMENT = before
    return site


def records_of(site: Site) -> list[Record]:
    """Everything that the gateway sent, by seq."""
    found = {}
    for name, payload, *_ in site.uplink.sent:
        if name.endswith("/batch"):
            found.update({record.seq: record for record in decode_batch(payload, KEY).records})
    assert sorted(found) == list(range(len(found)))
    return [found[seq] for seq in sorted(found)]


def cloud_of(
    place: Path | str, records: list[Record], holes: tuple[tuple[int, int], ...] = ()
) -> tuple[Store, Stored]:
    """(store, journal) of a cloud that has these records but for the holes."""
    journal = Journal(GATEWAY, bytes(8), KEY)
    for record in records:
        journal.records.append(record)
        journal.hashes.append(journal.chain.extend(encode_record(record)))
    store = open_store(place)
    receiver = Receiver(store, Keys({(TENANT, GATEWAY): KEY}), lambda: 1)
    at = 0
    for first, last in (*holes, (len(records), 0)):
        for start in range(at, first, 500):
            payload = journal.batch(start, min(start + 499, first - 1))
            assert receiver.receive(f"carbontally/v1/{TENANT}/{GATEWAY}/batch", payload)
        at = last + 1
    (found,) = find_journals(store)
    return store, found
