"""Whether intervals follow each other, telescope, and count what the meters said."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from hil_tests.soak.site import COUNT_WH, DAY_MS, ENERGY

#: (invariant, what is wrong)
Finding = tuple[str, str]


class AccountCheck:
    """The intervals of one gateway in the order they are committed, over all epochs."""

    def __init__(self) -> None:
        self.intervals = 0
        self._seen: Counter[tuple[int, ...]] = Counter()  # how often each is in a journal
        self.restart([])

    def restart(self, destroyed: Iterable[list[Any]]) -> None:
        """The journal went back in time: so does the account that is taken up from it.

        destroyed: records that are no more.
        """
        for fields in destroyed:
            self._seen[_key(fields)] -= 1
        self._end_ms: int | None = None
        self._counts: dict[int, int] = {}
        self._good: dict[int, list[int]] = {}  # device -> good registers since the last interval

    def came_back(self, fields: list[Any]) -> None:
        """A record that was destroyed is there again: it has been judged."""
        self._seen[_key(fields)] += 1

    def _is_again(self, fields: list[Any]) -> bool:
        """True for a record that was carried to another seq."""
        key = _key(fields)
        self._seen[key] += 1
        return self._seen[key] > 1

    def poll(self, fields: list[Any]) -> None:
        """Take in a POLL record."""
        device, values, flat, _ = fields[6]
        if self._is_again(fields) or values[ENERGY] is None or ENERGY in flat[::2]:
            return
        self._good.setdefault(device, []).append(values[ENERGY])

    def interval(self, fields: list[Any]) -> list[Finding]:
        """Take in an INTERVAL record; return what is wrong with it."""
        if self._is_again(fields):
            return []
        self.intervals += 1
        start_ms, end_ms, streams, _ = fields[6]
        found = []
        if start_ms >= end_ms:
            found.append(("I4", f"an interval takes no time: {start_ms} to {end_ms}"))
        # A clock that was days ahead is put right: the account begins anew where it is then.
        is_back = self._end_ms is not None and start_ms < self._end_ms - DAY_MS
        if self._end_ms not in (None, start_ms) and not is_back:
            found.append(("I4", f"the last ended at {self._end_ms}, this begins at {start_ms}"))
        self._end_ms = end_ms
        for number, count, _, activity, *_ in streams:
            if count is not None:
                found += self._stream(number, count, activity)
        self._good = {device: seen[-1:] for device, seen in self._good.items()}
        return found

    def _stream(self, number: int, count: int, activity: int) -> list[Finding]:
        found = []
        before = self._counts.get(number)
        if before is not None and activity != COUNT_WH * (count - before):
            found.append(("I4", f"activity {activity} is not {count} - {before}"))
        # The last good one; an earlier one when the last came with the boundary itself.
        seen = self._good.get(number, [])[-3:]
        if before is not None and count not in [before, *seen]:
            found.append(("I3", f"an interval counts {count}, the meter said {seen}"))
        self._counts[number] = count
        return found


def _key(fields: list[Any]) -> tuple[int, ...]:
    """What a POLL or an INTERVAL keeps wherever it is carried: kind, boot, mono_ms, what of."""
    return (fields[0], fields[2], fields[3], fields[6][0])
