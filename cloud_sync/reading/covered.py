"""How much of each part of a period intervals cover: no moment twice, none outside of its part.

An interval's figures belong to the part in which it starts. The time that it covers is of every
part that it reaches into, or a hole could hide behind intervals of two epochs at once.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from cloud_sync.reading.calendar import Period
from cloud_sync.reading.database import Database

#: What reaches into a period began at most so long before it.
_LONGEST_MS = 86_400_000

_REACHING = """
    SELECT gateway, stream, max(end_ms) FROM v_streams
    WHERE tenant = :tenant AND start_ms >= :early AND start_ms < :first AND end_ms > :first
    GROUP BY gateway, stream"""


def read_reaching(database: Database, tenant: str, first_ms: int) -> dict[tuple[str, str], int]:
    """(gateway, stream) -> until when intervals from before a time cover what comes after it."""
    values = {"tenant": tenant, "early": first_ms - _LONGEST_MS, "first": first_ms}
    return {(row[0], row[1]): row[2] for row in database.rows(_REACHING, **values)}


class Covered:
    """Of one stream, whose intervals come by their start."""

    def __init__(self, parts: Sequence[Period]) -> None:
        """parts: those of a period, which follow each other."""
        self._parts = parts
        self._until_ms = parts[0].start_ms

    def take(self, start_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
        """(number of the part, milliseconds) of what an interval covers and none before it did."""
        start_ms = max(start_ms, self._until_ms)
        if end_ms <= start_ms:
            return
        self._until_ms = end_ms
        at = bisect_right(self._parts, start_ms, key=lambda part: part.start_ms) - 1
        for number in range(at, len(self._parts)):
            part = self._parts[number]
            if part.start_ms >= end_ms:
                return
            covered_ms = min(end_ms, part.end_ms) - max(start_ms, part.start_ms)
            if covered_ms > 0:
                yield number, covered_ms
