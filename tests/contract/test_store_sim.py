"""The simulated journal keeps the contract of every store."""

import os
from collections.abc import Callable
from typing import Any

import pytest

from edge.ports.contracts import Store
from edge.ports.sim.disk import Disk
from edge.ports.sim.store import SimStore

from .test_store import (  # noqa: F401
    GATEWAY,
    add,
    contents,
    test_a_new_journal_is_empty_and_begins_from_its_genesis,
    test_a_renewed_journal_carries_tables_and_what_is_not_acked,
    test_acks_may_shrink_as_a_restored_receiver_makes_them,
    test_an_append_is_all_or_nothing,
    test_another_gateways_journal_is_refused,
    test_findings_that_no_event_was_made_of_are_told_again,
    test_reading_takes_any_span_and_hashes_are_those_of_hashlib,
    test_records_are_found_by_kind,
    test_the_newest_interval_outlives_two_renewals,
    test_what_was_appended_is_there_after_reopening,
    times,
)

POLL, TABLE = 1, 0


@pytest.fixture
def disk() -> Disk:
    return Disk()


@pytest.fixture
def reopen(disk: Disk) -> Callable[..., Store]:
    """Open the journal of this test, again and again."""

    def open_one(gateway: str = GATEWAY, **_: Any) -> Store:
        return SimStore(disk, gateway, lambda: os.urandom(8))

    return open_one


def test_a_power_cut_takes_what_a_lying_disk_had_promised(reopen, disk: Disk):
    store = reopen()
    made = add(store, TABLE, POLL)
    disk.begin_lying()
    add(store, POLL, POLL)
    assert disk.cut_power(keep_mark=False)
    assert contents(reopen()) == made
    assert not disk.cut_power(keep_mark=False)


def test_a_mark_that_got_through_tells_of_the_lie(reopen, disk: Disk):
    store = reopen()
    add(store, TABLE, POLL)
    epoch = store.epoch
    disk.begin_lying()
    add(store, POLL, POLL)
    disk.cut_power(keep_mark=True)
    again = reopen()
    told = dict(again.findings())["journal.salvaged"]
    assert again.epoch != epoch and (told["carried"], told["lost"]) == (2, 2)


def test_a_flipped_bit_costs_one_row(reopen, disk: Disk):
    store = reopen()
    add(store, TABLE, *[POLL] * 20)
    kept = times(store)
    assert disk.journal is not None
    row = disk.journal.rows[15]
    disk.journal.rows[15] = row._replace(record=row.record[:-1] + b"\x7f")
    again = reopen()
    assert dict(again.findings())["journal.salvaged"]["lost"] == 1
    assert times(again) == kept[:15] + kept[16:]


def test_an_older_copy_of_the_disk_is_what_it_was(reopen, disk: Disk):
    store = reopen()
    made = add(store, TABLE, POLL)
    image = disk.image()
    add(store, POLL)
    disk.put_back(image)
    assert contents(reopen()) == made
