"""What the receiver asks of a database: one documented class, subclassed for each product.

`tests/contract/test_cloud_store.py` is the suite that every implementation passes.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, NoReturn

from cloud_sync.ranges import Plan, Segment
from cloud_sync.rows import Row, Rows
from edge.core.errors import TallyError

#: Bounds of what hostile or broken senders can make us keep; the oldest goes first.
REFUSALS_MAX = 1_000
REFUSALS_PER_OWNER_MAX = 100
REFUSED_PAYLOAD_MAX_BYTES = 65_536

#: (seq, kind, boot, mono_ms, wall_ms, clock, hash, canonical bytes)
RawRow = tuple[int, int, int, int, int, int, bytes, bytes]


class Head(NamedTuple):
    """Highest contiguous seq (-1 for none), the chain hash at it, and flat gaps above it."""

    seq: int
    hash: bytes
    gaps: tuple[int, ...]


class Refusal(NamedTuple):
    """A message that was not stored.

    owner: "tenant/gateway" of a known gateway, "" otherwise: then the payload is not kept.
    """

    owner: str
    topic: str
    error: TallyError
    payload: bytes


class Alarm(NamedTuple):
    """Something about record `seq` of a journal that a person should look at."""

    owner: str
    epoch: bytes
    seq: int
    error: TallyError


class Store:
    """A database of journals. Calls come from one thread at a time.

    Every method raises StoreError when the database fails: nothing of the transaction it was in
    is kept then, and the same call may be tried again. `journal` below is the number that
    `open_journal` gave.
    """

    def describe(self) -> dict[str, object]:
        """What holds the rows, and how: "store", product and version; "layout"."""
        raise NotImplementedError

    def transaction(self) -> AbstractContextManager[None]:
        """All or nothing: durable when the block has ended, undone when it raised.

        One inside of another is undone alone when it raises, and lasts if the outer one does.
        Writing methods are called inside of one only; reading methods anywhere.
        """
        raise NotImplementedError

    def find_journal(self, tenant: str, gateway: str, epoch: bytes) -> int | None:
        """The number of a journal, or None when nothing of it is here."""
        raise NotImplementedError

    def open_journal(self, tenant: str, gateway: str, epoch: bytes, now_ms: int) -> int:
        """The number of a journal, made if it is new; notes when it was last heard of."""
        raise NotImplementedError

    def segments_near(self, journal: int, first: int, last: int) -> list[Segment]:
        """The segments that overlap or touch first..last, ascending."""
        raise NotImplementedError

    def read_hashes(self, journal: int, first: int, last: int) -> list[tuple[int, bytes]]:
        """(seq, chain hash) of the stored records within first..last, ascending."""
        raise NotImplementedError

    def read_head(self, journal: int, genesis: bytes) -> Head:
        """The head of a journal with the gaps above it."""
        raise NotImplementedError

    def add_records(self, journal: int, raw: Sequence[RawRow], rows: Rows) -> list[int]:
        """Insert records that are not there yet, with their typed rows.

        Returns the seq of each table that gives a known number another meaning; the meaning that
        came first stays.
        """
        raise NotImplementedError

    def apply_plan(self, journal: int, plan: Plan, genesis: bytes) -> Head:
        """Merge the ranges, note the new head and return it."""
        raise NotImplementedError

    def add_alarm(self, alarm: Alarm, now_ms: int) -> None:
        """Note an alarm, or count up the one that is there (owner, epoch, code, seq)."""
        raise NotImplementedError

    def add_refusal(self, refusal: Refusal, now_ms: int) -> None:
        """Put a message in quarantine, or count up the same one; the bounds above hold after."""
        raise NotImplementedError

    def drop_refusal(self, number: int) -> None:
        """Take the message of this id out of quarantine, if it is there."""
        raise NotImplementedError

    def set_state(self, tenant: str, gateway: str, state: str, now_ms: int) -> None:
        """Note whether a gateway is "online" or "offline"."""
        raise NotImplementedError

    def begin_result(self, journal: int, name: str, factor_set: str, digest: bytes) -> int | None:
        """The number of a new result of other factors, which nobody sees before `end_result`.

        One of this name that was never ended is taken away. None when a whole one has the name.
        """
        raise NotImplementedError

    def add_result(
        self, journal: int, result: int, emissions: Sequence[Row], totals: Sequence[Row]
    ) -> None:
        """Add rows of `result_emissions` and `result_totals`, from seq on."""
        raise NotImplementedError

    def end_result(self, journal: int, result: int, now_ms: int) -> None:
        """Say that a result is whole."""
        raise NotImplementedError

    def within(self, table: str) -> str:
        """What follows FROM for the rows of a table that a run of records has, WHERE included.

        Its values are the journal, the first and the last seq; more conditions go behind it.
        """
        raise NotImplementedError

    def find_span(self, journal: int, start_ms: int, end_ms: int) -> tuple[int, int] | None:
        """Lowest and highest seq of the records made in start_ms <= t < end_ms, re-stamped."""
        raise NotImplementedError

    def next_seq(self, journal: int, seq: int) -> int | None:
        """The lowest seq from `seq` on that may be stored, none below it is; None for no more."""
        raise NotImplementedError

    def refuse_damaged(self, reason: str) -> NoReturn:
        """Raise StoreError "cloud.damaged" about this database."""
        raise NotImplementedError

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of a SELECT with "?" for values, for verification, export and tests."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the database; never raises, may be repeated."""
        raise NotImplementedError
