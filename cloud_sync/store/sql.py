"""The statements of the cloud store that are the same in every SQL product, "?" for values.

A product adds how it is opened, how a transaction is made and how records come in.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

from cloud_sync.json_text import as_json
from cloud_sync.ranges import Plan, Segment, gaps_of, head_of
from cloud_sync.rows import Row, Rows, rates_of
from cloud_sync.store.contract import (
    REFUSALS_MAX,
    REFUSALS_PER_OWNER_MAX,
    REFUSED_PAYLOAD_MAX_BYTES,
    Alarm,
    Head,
    RawRow,
    Refusal,
    Store,
)
from edge.core.numbers import pack
from edge.core.numbers.fixed import INT64_MIN
from edge.core.sync.ack import GAPS_MAX


def _insert(table: str, columns: int, then: str = "") -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * columns)}){then}"


_IGNORE = " ON CONFLICT DO NOTHING"
_POINT = _insert("points", 7)
_RATE = _insert("stream_rates", 8)
_REVISED = _insert("result_emissions", 7)
_REVISED_TOTAL = _insert("result_totals", 8)

#: Typed tables beside readings, which belong to the records, with what fills them.
_INSERTS = {
    "configs": _insert("configs", 4),
    "factor_sets": _insert("factor_sets", 3, _IGNORE),
    "swaps": _insert("swaps", 9, _IGNORE),
    "facts": _insert("facts", 10, _IGNORE),
    "intervals": _insert("intervals", 11),
    "interval_bases": _insert("interval_bases", 7),
    "interval_streams": _insert("interval_streams", 12),
    "interval_emissions": _insert("interval_emissions", 5),
    "interval_figures": _insert("interval_figures", 10),
    "windows": _insert("windows", 8, _IGNORE),
    "serials": _insert("serials", 4, _IGNORE),
    "events": _insert("events", 4),
}
#: Most batches make a range that is there longer.
_MERGED = _insert(
    "ranges",
    5,
    " ON CONFLICT (journal, first) DO UPDATE SET last = excluded.last,"
    " hash_before = excluded.hash_before, hash_last = excluded.hash_last",
)
_SEGMENT = "SELECT first, last, hash_before, hash_last FROM ranges WHERE journal = ?"


class SqlStore(Store):
    """A store by SQL; `_run`, `_run_many` and `_add_raw` are the product's."""

    def _run(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of one statement; raises StoreError."""
        raise NotImplementedError

    def _run_many(self, sql: str, rows: Iterable[Row]) -> None:
        """One statement for each row; raises StoreError."""
        raise NotImplementedError

    def _add_raw(self, journal: int, raw: Sequence[RawRow], rows: Rows) -> None:
        """Insert records with their readings; raises StoreError."""
        raise NotImplementedError

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        return self._run(sql, *values)

    def within(self, table: str) -> str:
        return f"{table} WHERE journal = ? AND seq BETWEEN ? AND ?"

    def find_span(self, journal: int, start_ms: int, end_ms: int) -> tuple[int, int] | None:
        # Bounds that may be equal: see `Period.last_ms`.
        when = "journal = ? AND wall_ms BETWEEN ? AND ?"
        last_ms = max(end_ms, INT64_MIN + 1) - 1
        ((first, last),) = self._run(
            f"SELECT min(seq), max(seq) FROM (SELECT seq FROM stamped WHERE {when}"
            f" UNION ALL SELECT seq FROM restamped WHERE {when}) found",
            *(journal, start_ms, last_ms, journal, start_ms, last_ms),
        )
        return None if first is None else (first, last)

    def next_seq(self, journal: int, seq: int) -> int | None:
        sql = "SELECT min(seq) FROM records WHERE journal = ? AND seq >= ?"
        found: int | None = self._run(sql, journal, seq)[0][0]
        return found

    def find_journal(self, tenant: str, gateway: str, epoch: bytes) -> int | None:
        found = self._run(
            "SELECT j.id FROM journals j JOIN gateways g ON g.id = j.gateway"
            " WHERE g.tenant = ? AND g.gateway = ? AND j.epoch = ?",
            *(tenant, gateway, epoch),
        )
        return found[0][0] if found else None

    def open_journal(self, tenant: str, gateway: str, epoch: bytes, now_ms: int) -> int:
        owner = self._open_gateway(tenant, gateway, now_ms)
        found = self._run(
            "INSERT INTO journals (gateway, epoch, head_seq, head_hash, last_seen_ms)"
            " VALUES (?, ?, -1, ?, ?) ON CONFLICT (gateway, epoch)"
            " DO UPDATE SET last_seen_ms = excluded.last_seen_ms RETURNING id",
            *(owner, epoch, b"", now_ms),
        )
        return int(found[0][0])

    def _open_gateway(self, tenant: str, gateway: str, now_ms: int) -> int:
        found = self._run(
            "INSERT INTO gateways (tenant, gateway, last_seen_ms) VALUES (?, ?, ?)"
            " ON CONFLICT (tenant, gateway)"
            " DO UPDATE SET last_seen_ms = excluded.last_seen_ms RETURNING id",
            *(tenant, gateway, now_ms),
        )
        return int(found[0][0])

    def set_state(self, tenant: str, gateway: str, state: str, now_ms: int) -> None:
        owner = self._open_gateway(tenant, gateway, now_ms)
        self._run("UPDATE gateways SET state = ? WHERE id = ?", state, owner)

    def segments_near(self, journal: int, first: int, last: int) -> list[Segment]:
        # Segments never overlap, so the highest one that starts early enough bounds the search.
        found = self._run(
            _SEGMENT + " AND first <= ? AND first >= coalesce("
            "(SELECT max(first) FROM ranges WHERE journal = ? AND first < ?), ?)"
            " AND last >= ? ORDER BY first",
            *(journal, last + 1, journal, first, first, first - 1),
        )
        return [Segment(*row) for row in found]

    def read_hashes(self, journal: int, first: int, last: int) -> list[tuple[int, bytes]]:
        return self._run(
            f"SELECT seq, hash FROM {self.within('records')} ORDER BY seq",
            *(journal, first, last),
        )

    def read_head(self, journal: int, genesis: bytes) -> Head:
        found = self._run(_SEGMENT + " ORDER BY first LIMIT ?", journal, GAPS_MAX + 1)
        lowest = [Segment(*row) for row in found]
        return Head(*head_of(genesis, lowest), gaps_of(lowest, GAPS_MAX))

    def add_records(self, journal: int, raw: Sequence[RawRow], rows: Rows) -> list[int]:
        self._add_raw(journal, raw, rows)
        for table, sql in _INSERTS.items():
            if found := getattr(rows, table):
                self._run_many(sql, ((journal, *row) for row in found))
        contradictions = []
        for row in rows.devices:
            outcome = self._define("devices", journal, row)
            if outcome == "new":
                self._add_points(journal, row)
            elif outcome == "other":
                contradictions.append(row[1])
        for row in rows.streams:
            outcome = self._define("streams", journal, row)
            if outcome == "new":
                self._add_rates(journal, row)
            elif outcome == "other":
                contradictions.append(row[1])
        return contradictions

    def _define(self, table: str, journal: int, row: tuple[Any, ...]) -> str:
        """Insert a definition: "new", "same" as the one that is there, or "other"."""
        number, seq, *meaning = row
        where = " WHERE journal = ? AND number = ?"
        found = self._run(f"SELECT * FROM {table}{where}", journal, number)
        if not found:
            marks = ", ".join("?" * (1 + len(row)))
            self._run(f"INSERT INTO {table} VALUES ({marks})", journal, *row)
            return "new"
        if list(found[0][3:]) != meaning:
            return "other"
        sql = f"UPDATE {table} SET seq = ?{where} AND seq > ?"
        self._run(sql, seq, journal, number, seq)
        return "same"

    def _add_points(self, journal: int, device: tuple[Any, ...]) -> None:
        points: Any = pack.decode(device[-1])
        rows = ((journal, device[0], at, *point) for at, point in enumerate(points))
        self._run_many(_POINT, rows)

    def _add_rates(self, journal: int, stream: tuple[Any, ...]) -> None:
        rows = ((journal, stream[0], *rate) for rate in rates_of(stream[-1]))
        self._run_many(_RATE, rows)

    def apply_plan(self, journal: int, plan: Plan, genesis: bytes) -> Head:
        for segment in plan.replaced:
            if segment.first != plan.merged.first:
                sql = "DELETE FROM ranges WHERE journal = ? AND first = ?"
                self._run(sql, journal, segment.first)
        self._run(_MERGED, journal, *plan.merged)
        head = self.read_head(journal, genesis)
        sql = "UPDATE journals SET head_seq = ?, head_hash = ? WHERE id = ?"
        self._run(sql, head.seq, head.hash, journal)
        return head

    def add_alarm(self, alarm: Alarm, now_ms: int) -> None:
        error = alarm.error
        self._run(
            "INSERT INTO alarms (owner, epoch, code, seq, fields, first_ms, last_ms, count)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT (owner, epoch, code, seq)"
            " DO UPDATE SET last_ms = excluded.last_ms, count = alarms.count + 1",
            *(alarm.owner, alarm.epoch, error.code, alarm.seq, as_json(error.fields)),
            *(now_ms, now_ms),
        )
        self._trim("alarms", alarm.owner)

    def add_refusal(self, refusal: Refusal, now_ms: int) -> None:
        payload = refusal.payload
        kept = payload[:REFUSED_PAYLOAD_MAX_BYTES] if refusal.owner else None
        self._run(
            "INSERT INTO quarantine (owner, topic, code, fields, size_bytes, digest, payload,"
            " first_ms, last_ms, count) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
            " ON CONFLICT (owner, topic, digest)"
            " DO UPDATE SET last_ms = excluded.last_ms, count = quarantine.count + 1",
            *(refusal.owner, refusal.topic, refusal.error.code, as_json(refusal.error.fields)),
            *(len(payload), hashlib.sha256(payload).digest(), kept, now_ms, now_ms),
        )
        self._trim("quarantine", refusal.owner)

    def drop_refusal(self, number: int) -> None:
        self._run("DELETE FROM quarantine WHERE id = ?", number)

    def begin_result(self, journal: int, name: str, factor_set: str, digest: bytes) -> int | None:
        named = "SELECT id, made_ms FROM results WHERE journal = ? AND name = ?"
        for result, made_ms in self._run(named, journal, name):
            if made_ms is not None:
                return None
            for table in ("result_emissions", "result_totals"):
                self._run(f"DELETE FROM {table} WHERE journal = ? AND result = ?", journal, result)
            self._run("DELETE FROM results WHERE id = ?", result)
        found = self._run(
            "INSERT INTO results (journal, name, factor_set, factor_digest)"
            " VALUES (?, ?, ?, ?) RETURNING id",
            *(journal, name, factor_set, digest),
        )
        return int(found[0][0])

    def add_result(
        self, journal: int, result: int, emissions: Sequence[Row], totals: Sequence[Row]
    ) -> None:
        self._run_many(_REVISED, ((journal, result, *row) for row in emissions))
        self._run_many(_REVISED_TOTAL, ((journal, result, *row) for row in totals))

    def end_result(self, journal: int, result: int, now_ms: int) -> None:
        sql = "UPDATE results SET made_ms = ? WHERE journal = ? AND id = ?"
        self._run(sql, now_ms, journal, result)

    def _trim(self, table: str, owner: str) -> None:
        newest = f"SELECT id FROM {table}{{}} ORDER BY last_ms DESC, id DESC LIMIT ?"
        kept, kept_of_all = newest.format(" WHERE owner = ?"), newest.format("")
        delete = f"DELETE FROM {table} WHERE "
        sql = f"{delete} owner = ? AND id NOT IN ({kept})"
        self._run(sql, owner, owner, REFUSALS_PER_OWNER_MAX)
        self._run(f"{delete} id NOT IN ({kept_of_all})", REFUSALS_MAX)
