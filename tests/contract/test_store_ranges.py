"""Records in any order: the head and its gaps are those of the set that is there."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.store.address import open_store
from cloud_sync.store.contract import Head, Store
from edge.core.sync.ack import GAPS_MAX
from tests.contract.conftest import KINDS, STORES
from tests.contract.test_cloud_store import GENESIS, JOURNAL, add, open_journal


@pytest.fixture(params=STORES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    place: Path | str = tmp_path / "cloud.db"
    if request.param in KINDS:
        place = request.getfixturevalue("postgres_servers")(request.param).create()
    opened = open_store(place)
    yield opened
    opened.close()


def expected(there: set[int]) -> Head:
    """By looking at each number up to the highest."""
    missing = [seq for seq in range(max(there)) if seq not in there]
    head = (missing[0] if missing else max(there) + 1) - 1
    flat: list[int] = []
    for seq in missing:
        if flat and flat[-1] == seq - 1:
            flat[-1] = seq
        else:
            flat += [seq, seq]
    digest = JOURNAL.hashes[head] if head >= 0 else GENESIS
    return Head(head, digest, tuple(flat[: 2 * GAPS_MAX]))


@pytest.mark.parametrize("seed", range(3))
def test_the_head_is_that_of_the_set(store: Store, seed: int):
    draw = random.Random(seed)
    number = open_journal(store)
    size = len(JOURNAL.records)
    edges = sorted({0, size, *(draw.randrange(size) for _ in range(14))})
    runs = list(zip(edges, (edge - 1 for edge in edges[1:]), strict=False))
    draw.shuffle(runs)
    there: set[int] = set()
    for first, last in runs:
        there |= set(range(first, last + 1))
        assert add(store, number, first, last) == expected(there)
        assert store.read_head(number, GENESIS) == expected(there)
        row = store.query("SELECT head_seq, head_hash FROM journals WHERE id = ?", number)
        assert row == [expected(there)[:2]]
    assert store.query("SELECT first, last FROM ranges") == [(0, size - 1)]
