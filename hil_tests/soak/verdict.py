"""What the ledger finds when everything has come to rest."""

import hashlib
from typing import Any

from cloud_sync.store.contract import Store
from hil_tests.soak.ledger import (
    CLOCK,
    EVENT,
    POLL,
    TOMBSTONE,
    Ledger,
    decode,
    identity,
)
from hil_tests.soak.site import GATEWAY

Stored = dict[bytes, dict[int, tuple[bytes, bytes]]]

#: Events that tell of a journal that was cut, lost or left.
TELLING = ("journal.cut", "journal.lost", "journal.salvaged")

#: Seq range first..last that a tombstone explains, the hash at its end, and why it is gone.
Loss = tuple[int, int, bytes, str]


def judge(ledger: Ledger, stored: Stored) -> None:
    """Compare what was promised with what the cloud has: epoch -> seq -> (hash, record)."""
    losses = {epoch: _losses(rows) for epoch, rows in stored.items()}
    for epoch, rows in stored.items():
        _check_chain(ledger, epoch, rows, losses[epoch])
        _check_rows(ledger, epoch, rows)
    _check_complete(ledger, stored, losses)
    flipped = _flipped_clocks(ledger)
    for promised in ledger.promised.values():
        _check_times(ledger, promised, flipped)


def check_typed(ledger: Ledger, store: Store, stored: Stored) -> None:
    """I2 and I3 in the tables that people query: each reading once, as its record says it."""
    for table in ("records", "readings"):
        place = "journal, seq" if table == "records" else "journal, seq, device, point"
        twice = store.query(
            f"SELECT {place} FROM {table} GROUP BY {place} HAVING count(*) > 1 LIMIT 1"
        )
        if twice:
            ledger.violation("I2", f"{table} has {twice[0]} twice")
    found: dict[tuple[bytes, int], list[tuple[int, int | None, int]]] = {}
    for epoch, seq, point, value, quality in store.query(
        "SELECT j.epoch, r.seq, r.point, r.value, r.quality FROM readings r"
        " JOIN journals j ON j.id = r.journal ORDER BY j.id, r.seq, r.point"
    ):
        found.setdefault((epoch, seq), []).append((point, value, quality))
    for epoch, rows in stored.items():
        for seq, (_, record) in rows.items():
            fields = decode(record)
            wanted = _readings(fields[6]) if fields[0] == POLL else None
            if found.pop((epoch, seq), None) != wanted:
                ledger.violation("I3", f"the readings of seq {seq} are not those of its record")
    if found:
        ledger.violation("I2", f"{len(found)} polls have readings and no record")


def _readings(body: list[Any]) -> list[tuple[int, int | None, int]]:
    _, values, flat, _ = body
    bad = dict(zip(flat[::2], flat[1::2], strict=True))
    return [(point, value, bad.get(point, 0)) for point, value in enumerate(values)]


def _losses(rows: dict[int, tuple[bytes, bytes]]) -> list[Loss]:
    found = []
    for _, record in rows.values():
        fields = decode(record)
        if fields[0] == TOMBSTONE and fields[6][0] is not None:
            found.append((fields[6][0], fields[6][1], fields[6][7], fields[6][2]))
    return found


def _check_chain(
    ledger: Ledger, epoch: bytes, rows: dict[int, tuple[bytes, bytes]], losses: list[Loss]
) -> None:
    """I6: each row follows from the one before it, or from the end of an explained range."""
    genesis = hashlib.sha256(b"carbontally" + GATEWAY.encode() + epoch).digest()
    ends = {-1: genesis}
    ends.update({last: digest for _, last, digest, _ in losses})
    for seq, (digest, record) in rows.items():
        before = rows[seq - 1][0] if seq - 1 in rows else ends.get(seq - 1)
        if before is not None and hashlib.sha256(before + record).digest() != digest:
            ledger.violation("I6", f"seq {seq} of {epoch.hex()} does not follow from its chain")


def _check_rows(ledger: Ledger, epoch: bytes, rows: dict[int, tuple[bytes, bytes]]) -> None:
    """I3: what is stored is what was promised, byte for byte."""
    known = ledger.promised.get(epoch, {})
    gone = {(seq, record) for other, seq, record in ledger.destroyed if other == epoch}
    for seq, (_, record) in rows.items():
        if record != known.get(seq) and (seq, record) not in gone:
            what = "was never promised" if seq not in known else "is another record"
            ledger.violation("I3", f"seq {seq} of {epoch.hex()} {what}")


def _check_complete(ledger: Ledger, stored: Stored, losses: dict[bytes, list[Loss]]) -> None:
    """I1: every promised record is there, in its epoch or carried into a later one, or told."""
    fine: set[bytes] = set()  # what is there or accounted for, in whatever epoch
    if len(ledger.epochs) > 1:
        fine = {identity(row[1]) for rows in stored.values() for row in rows.values()}
    told = 0
    for epoch in reversed(ledger.epochs):
        rows = stored.get(epoch, {})
        for seq, record in ledger.promised[epoch].items():
            if seq in rows:
                continue
            is_left = epoch != ledger.epochs[-1]
            is_fine = _is_explained(ledger, epoch, seq, losses.get(epoch, []))
            if is_fine or (is_left and _is_accounted(ledger, epoch, seq, record, fine)):
                fine.add(identity(record))
            elif (epoch, seq) in ledger.flipped:
                told += 1
                fine.add(identity(record))
            else:
                ledger.violation("I1", f"seq {seq} of {epoch.hex()} is lost")
    for epoch, seq, _ in ledger.destroyed:
        told += seq not in stored.get(epoch, {})
    if told and not ledger.was_wiped and not _is_told(stored):
        ledger.violation("I1", f"{told} rows were destroyed and nothing tells of it")


def _is_accounted(ledger: Ledger, epoch: bytes, seq: int, record: bytes, fine: set[bytes]) -> bool:
    """A record of an epoch that was left: carried on, removed, or lost at the cloud's end."""
    if seq in ledger.unstored.get(epoch, ()) or identity(record) in fine:
        return True
    unstored = ledger.unstored.get(epoch, ())
    return any(
        other == epoch and first <= seq <= last and (tomb in fine or at in unstored)
        for other, first, last, at, tomb in ledger.removed
    )


def _is_explained(ledger: Ledger, epoch: bytes, seq: int, losses: list[Loss]) -> bool:
    """A tombstone says why it is gone; one that says the cloud has it has to be right."""
    for first, last, _, reason in losses:
        was_there = reason != "acked" or seq in ledger.unstored.get(epoch, ())
        if first <= seq <= last and was_there:
            return True
    return False


def _is_told(stored: Stored) -> bool:
    for rows in stored.values():
        for _, record in rows.values():
            fields = decode(record)
            if fields[0] == EVENT and fields[6][0] in TELLING:
                return True
    return False


def _flipped_clocks(ledger: Ledger) -> list[list[Any]]:
    """Bodies of the CLOCK records that a flipped bit took: no later epoch has them."""
    rows = [ledger.promised.get(epoch, {}).get(seq) for epoch, seq in ledger.flipped]
    return [fields[6] for fields in map(decode, filter(None, rows)) if fields[0] == CLOCK]


def _check_times(ledger: Ledger, rows: dict[int, bytes], flipped: list[list[Any]]) -> None:
    """I4: the seq within is the seq without; wall time moves within a boot by CLOCK records."""
    anchors: dict[int, list[tuple[int, int]]] = {}
    offsets: dict[int, set[tuple[int, int]]] = {}
    for seq, record in rows.items():
        kind, inner, boot, mono_ms, wall_ms, quality, body = decode(record)
        if inner != seq:
            ledger.violation("I4", f"seq {seq} says it is {inner}")
        if kind == CLOCK:
            anchors.setdefault(body[0], []).append((body[1], body[2] - body[1]))
        elif wall_ms:
            offsets.setdefault(boot, set()).add((wall_ms - mono_ms, mono_ms))
    for body in flipped:
        if body[0] in anchors:
            anchors[body[0]].append((body[1], body[2] - body[1]))
    for boot, found in offsets.items():
        known = anchors.get(boot)
        if known is None or len(ledger.booted.get(boot, ())) != 1:
            continue  # its CLOCK is in an earlier epoch, or two starts have the same number
        known.sort()
        for offset_ms, mono_ms in found:
            before = [offset for at_ms, offset in known if at_ms <= mono_ms]
            allowed = {offset for at_ms, offset in known if at_ms == mono_ms} | set(before[-1:])
            if before and offset_ms not in allowed:
                ledger.violation("I4", f"boot {boot} at {mono_ms}: no CLOCK moved its time")
