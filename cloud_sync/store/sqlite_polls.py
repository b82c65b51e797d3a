"""Polls that a SQLite file keeps once: their row in `polls`, and what no row says as the body.

The canonical bytes of a poll are the array [kind, seq, boot, mono_ms, wall_ms, clock, [device,
values, qualities, evidence]], which begins with 0x97. Compacted, the body is its last part alone,
the evidence: [] for most. That is an even number of fields, so it never begins with 0x97.
"""

import json
import sqlite3
from typing import Any

from cloud_sync.opening import new_packer
from edge.core.errors import DataError
from edge.core.journal.record import Kind
from edge.core.numbers import pack

#: Which rows of `records` are polls that are not compacted; the index `records_whole` has these.
IS_WHOLE = "kind = 1 AND body >= x'97' AND body < x'98'"

#: `records` with the canonical bytes of every record; for FROM, on a connection of `teach`.
WHOLE_RECORDS = f"""(
    SELECT r.journal, r.seq, r.kind, r.boot, r.mono_ms, r.wall_ms, r.clock, r.hash,
           CASE WHEN r.kind = 1 AND NOT ({IS_WHOLE.replace("body", "r.body")}) THEN coalesce((
               SELECT poll_bytes(CAST(r.body AS BLOB), r.seq, r.boot, r.mono_ms, r.wall_ms,
                                 r.clock, p.device, CAST(p.mantissas AS BLOB),
                                 CAST(p.qualities AS BLOB))
               FROM polls p WHERE p.journal = r.journal AND p.seq = r.seq
           ), r.body) ELSE r.body END AS body
    FROM records r
)"""

#: The same of the view `v_records`.
V_WHOLE_RECORDS = f"""(
    SELECT g.tenant, g.gateway, lower(hex(j.epoch)) AS epoch, r.seq, r.kind, r.wall_ms, r.hash,
           r.body
    FROM {WHOLE_RECORDS} r
    JOIN journals j ON j.id = r.journal
    JOIN gateways g ON g.id = j.gateway
)"""

#: The body of most compacted polls.
NO_EVIDENCE = pack.encode([])

#: `poll_bytes` runs in the thread of whoever asks; nothing of it lets another thread go on.
_pack = new_packer()


def poll_bytes(body: Any, *columns: Any) -> Any:
    """Canonical bytes of a compacted poll from its body and columns as in `WHOLE_RECORDS`.

    The body itself when they make none, as in a damaged file: it has not the record's hash.
    """
    *header, device, mantissas, qualities = columns
    try:
        values = json.loads(mantissas)
        flat = [] if qualities is None else _flat(values, json.loads(qualities))
        evidence = pack.decode(body)
        return _pack([Kind.POLL, *header, [device, values, flat, evidence]])
    except (DataError, ValueError, TypeError, OverflowError, RecursionError):
        return body


def evidence_of(body: bytes, *columns: Any) -> bytes | None:
    """What a poll of these bytes has for a body when it is compacted; None when it cannot be.

    columns: as in `WHOLE_RECORDS`, from seq on.
    """
    if poll_bytes(NO_EVIDENCE, *columns) == body:
        return NO_EVIDENCE
    try:
        record: Any = pack.decode(body)
        evidence = pack.encode(record[-1][-1])
    except (DataError, TypeError, LookupError):
        return None
    follows = evidence[0] != body[0] and poll_bytes(evidence, *columns) == body
    return evidence if follows else None


def _flat(values: list[int | None], codes: list[int | None]) -> list[int]:
    """[point, code, ...] of the values that are not good, as a record has it."""
    flat = []
    for point, (value, code) in enumerate(zip(values, codes, strict=True)):
        if code is not None and (code or value is None):
            flat += [point, code]
    return flat


def teach(db: sqlite3.Connection) -> None:
    """Give a connection what `WHOLE_RECORDS` calls."""
    db.create_function("poll_bytes", 9, poll_bytes, deterministic=True)
