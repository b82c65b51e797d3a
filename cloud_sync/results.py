"""Where results of other factors go: rows beside those that were recorded, and lines of a file.

Both tell each figure with the digest of its set; what was recorded stays as it is.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TextIO

from cloud_sync.raw import Journal
from cloud_sync.recompute import Outcome
from cloud_sync.revise import Revision
from cloud_sync.rows import Row
from cloud_sync.store.contract import Store
from edge.core.errors import UsageError

#: Intervals that are written at once, so that no batch of a gateway waits long.
_STEP = 200

NAME_MAX = 64

_WHOLE = "SELECT id FROM results WHERE journal = ? AND name = ? AND made_ms IS NOT NULL"

#: The position of a stream's main basis; its others have those of `stream_rates`.
_MAIN = -1


class ResultRows:
    """A named result of some journals, seen by nobody before `end`."""

    def __init__(
        self, store: Store, journals: Sequence[Journal], name: str, revision: Revision
    ) -> None:
        """Raises UsageError "usage.value" for a name that a journal has a result of."""
        self._store, self._emissions, self._totals = store, list[Row](), list[Row]()
        self._numbers: dict[int, int] = {}
        self._at, self._intervals = 0, 0
        if not 0 < len(name) <= NAME_MAX or not name.isprintable():
            _refuse(name, f"a name of 1 to {NAME_MAX} characters")
        self._name, self._factors = name, revision.factors
        for one in journals:
            if store.query(_WHOLE, one.number, name):
                self._refuse(one.owner)

    def _refuse(self, owner: str) -> NoReturn:
        _refuse(self._name, f"a name that no result of {owner} has: none is changed")

    def take(self, journal: Journal, outcome: Outcome) -> None:
        """Take an interval that has been computed with the factors."""
        if outcome.revised is None:
            return
        if journal.number != self._at or self._intervals >= _STEP:
            self._flush()
        if journal.number not in self._numbers:
            self._begin(journal)
        self._at, self._intervals = journal.number, self._intervals + 1
        streams, entries, totals = outcome.revised
        seq = outcome.record.seq
        for stream, entry in zip(streams, entries, strict=True):
            own = (seq, stream.number)
            self._emissions.append((*own, _MAIN, stream.factor_digest, entry[4]))
            for at, (rate, value) in enumerate(zip(stream.rates, entry[9], strict=True)):
                self._emissions.append((*own, at, rate.factor_digest, value))
        basis = next((stream.basis for stream in streams if stream.basis), "")
        for name, *figures in ([basis, *totals[:3], totals[4]], *totals[7]):
            self._totals.append((seq, name, *figures))

    def _begin(self, journal: Journal) -> None:
        name, factors = self._name, self._factors
        with self._store.transaction():
            number = self._store.begin_result(journal.number, name, factors.id, factors.digest)
        if number is None:
            self._refuse(journal.owner)
        self._numbers[journal.number] = number

    def end(self, now_ms: int) -> None:
        """Let everybody see it; a journal without an interval in it has no result."""
        self._flush()
        with self._store.transaction():
            for journal, number in self._numbers.items():
                self._store.end_result(journal, number, now_ms)

    def _flush(self) -> None:
        if self._emissions:
            with self._store.transaction():
                number = self._numbers[self._at]
                self._store.add_result(self._at, number, self._emissions, self._totals)
        self._emissions, self._totals, self._intervals = [], [], 0


def _refuse(name: str, expected: str) -> NoReturn:
    raise UsageError("usage.value", option="--result", found=name or "nothing", expected=expected)


class ResultFile:
    """The same as lines, one object an interval, with the recorded figures."""

    def __init__(self, file: TextIO, revision: Revision) -> None:
        self._file, self._factors = file, revision.factors

    def take(self, journal: Journal, outcome: Outcome) -> None:
        """Take an interval that has been computed with the factors."""
        if outcome.revised is None:
            return
        result = {**head_of(journal, outcome), "set": self._factors.id}
        result |= {"set_digest": self._factors.digest, "figures": list(_figures(outcome))}
        self._file.write(as_line({**result, "totals": outcome.revised[2]}) + "\n")

    def end(self, now_ms: int) -> None:
        """Nothing is left to do: whoever opened the file lets it be seen."""


def _figures(outcome: Outcome) -> Iterator[dict[str, Any]]:
    streams, entries, _ = outcome.revised or ([], [], [])
    recorded = outcome.record.body[2]
    for stream, old, entry, before in zip(
        streams, outcome.streams, entries, recorded, strict=True
    ):
        bases = [(stream.basis, stream.factor, stream.factor_digest, entry[4])]
        bases += [
            (rate.basis, rate.factor, rate.factor_digest, value)
            for rate, value in zip(stream.rates, entry[9], strict=True)
        ]
        olds = [(old.factor_digest, before[4])]
        olds += [(r.factor_digest, v) for r, v in zip(old.rates, before[9], strict=True)]
        for (basis, factor, digest, value), (old_digest, old_value) in zip(
            bases, olds, strict=True
        ):
            figure = {"stream": stream.name, "basis": basis, "factor": factor}
            figure |= {"factor_digest": digest, "emission_mg": value}
            yield figure | {"recorded_digest": old_digest, "recorded_mg": old_value}


def head_of(journal: Journal, outcome: Outcome) -> dict[str, Any]:
    """What names an interval in every line about it."""
    body = outcome.record.body
    head = {"gateway": journal.owner, "epoch": journal.epoch.hex(), "seq": outcome.record.seq}
    return {**head, "start_ms": body[0], "end_ms": body[1]}


def as_line(value: object) -> str:
    """An object as one line of JSON; bytes are hexadecimal."""
    return json.dumps(value, ensure_ascii=False, default=lambda item: item.hex())
