"""Evidence files: raw records with their hashes, for an auditor who has nothing else.

The format is docs/contract/evidence.md; `verifier.py` reads it.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO

from cloud_sync.raw import (
    Journal,
    Period,
    Raw,
    read_raw,
    read_segments,
    read_tombstones,
    span_of,
)
from cloud_sync.store.contract import Store
from cloud_sync.verifier import FORMAT
from edge.core.journal.retain import Tombstone

Span = tuple[int, int]


def _removed(store: Store, journal: int) -> list[tuple[int, Tombstone]]:
    """(seq, tombstone) of every removed range, ascending by seq."""
    return [row for row in read_tombstones(store, journal) if row[1].first is not None]


def plan_span(store: Store, journal: Journal, period: Period) -> Span | None:
    """The records to write for a period: it, and what explains its holes. None for nothing."""
    found = span_of(store, journal.number, period)
    if found is None:
        return None
    first, last = found
    if period.start_ms is None:
        first = 0
    for seq, tomb in _removed(store, journal.number):
        if tomb.first <= last and tomb.last >= first:
            last = max(last, seq)
    return first, last


def _lines_of(store: Store, journal: Journal, span: Span) -> Iterator[dict[str, object]]:
    first, last = span
    befores = {one.first: one.hash_before for one in read_segments(store, journal.number)}
    tombs = {tomb.last + 1: tomb for _, tomb in _removed(store, journal.number)}
    at, count = -1, 0
    for raw in read_raw(store, journal.number, first, last):
        if raw.seq != at:
            before = _hash_before(store, journal, raw, befores, tombs)
            yield {"from": raw.seq, "hash": None if before is None else before.hex()}
        yield {"seq": raw.seq, "hash": raw.hash.hex(), "record": raw.body.hex()}
        at, count = raw.seq + 1, count + 1
    yield {"records": count, "seal": None}


def _hash_before(
    store: Store,
    journal: Journal,
    raw: Raw,
    befores: dict[int, bytes],
    tombs: dict[int, Tombstone],
) -> bytes | None:
    """The chain hash before the first record of a run; None inside of a removed range."""
    if raw.seq == 0:
        return journal.genesis
    for before in read_raw(store, journal.number, raw.seq - 1, raw.seq - 1):
        return before.hash
    if raw.seq in befores:
        return befores[raw.seq]
    return bytes(tombs[raw.seq].hash_last) if raw.seq in tombs else None


def write_evidence(
    store: Store,
    parts: Iterable[tuple[Journal, Span, bytes | None]],
    out: BinaryIO,
    advance: Callable[[int], None] = lambda count: None,
) -> int:
    """Write journals as one evidence file; return the number of records.

    parts: (journal, its span, the device key to seal it with or None). advance: called with the
    number of lines written since it was last called.
    """
    parts, total = list(parts), 0
    for number, (journal, span, key) in enumerate(parts, 1):
        digest, seal = hashlib.sha256(), hmac.new(key or b"", FORMAT.encode(), "sha256")
        head: dict[str, object] = {"format": FORMAT, "part": number, "parts": len(parts)}
        head.update(tenant=journal.tenant, gateway=journal.gateway, epoch=journal.epoch.hex())
        head.update(first=span[0], last=span[1])
        for found in (head, *_lines_of(store, journal, span)):
            if "seal" in found and key is not None:
                found["seal"] = seal.hexdigest()
            line = _encoded(found)
            out.write(line)
            digest.update(line)
            seal.update(line)
            if "seq" in found:
                total += 1
                advance(1)
        out.write(_encoded({"sha256": digest.hexdigest()}))
    return total


def _encoded(found: dict[str, object]) -> bytes:
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8") + b"\n"
