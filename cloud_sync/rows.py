"""Records to typed rows: what tables hold beside the raw bytes. Pure.

A record that is authentic but whose body cannot be laid into columns stays as raw bytes; it is
listed in `Rows.refused` and stops nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from cloud_sync.json_text import as_json
from edge.core.carbon.interval import (
    ENTRY_FIELDS,
    OLD_ENTRY_FIELDS,
    OLD_TOTAL_FIELDS,
    TOTAL_FIELDS,
)
from edge.core.errors import DataError, TallyError
from edge.core.journal.record import Kind, Part, Record, is_integer
from edge.core.numbers import pack
from edge.core.numbers.fixed import INT64_MAX, INT64_MIN, PLACES_MAX, check_int64

Row = tuple[Any, ...]


@dataclass
class Rows:
    """Rows by table, columns as in `store/schema.sql` without the journal.

    polls: (seq, device number, values, quality codes or None when each value that is there is
    good); devices: as the table, the last column a packed array of [name, unit, places, class] in
    point order; streams: as the table, see `rates_of`; refused: (seq, why).
    """

    configs: list[Row] = field(default_factory=list)
    devices: list[Row] = field(default_factory=list)
    factor_sets: list[Row] = field(default_factory=list)
    streams: list[Row] = field(default_factory=list)
    swaps: list[Row] = field(default_factory=list)
    facts: list[Row] = field(default_factory=list)
    polls: list[Row] = field(default_factory=list)
    intervals: list[Row] = field(default_factory=list)
    interval_bases: list[Row] = field(default_factory=list)
    interval_streams: list[Row] = field(default_factory=list)
    interval_emissions: list[Row] = field(default_factory=list)
    interval_figures: list[Row] = field(default_factory=list)
    windows: list[Row] = field(default_factory=list)
    serials: list[Row] = field(default_factory=list)
    events: list[Row] = field(default_factory=list)
    refused: list[tuple[int, TallyError]] = field(default_factory=list)

    @property
    def readings(self) -> Iterator[Row]:
        """(seq, point, device, value, quality code or None), of every value of every poll."""
        for seq, device, values, qualities in self.polls:
            for point, value in enumerate(values):
                quality = qualities[point] if qualities else None if value is None else 0
                yield seq, point, device, value, quality

    @property
    def reading_count(self) -> int:
        return sum(len(poll[2]) for poll in self.polls)

    def add(self, record: Record) -> None:
        """Lay one record into its tables, all of it or nothing."""
        if record.kind == Kind.POLL:
            part = self  # it has one row, and adds it last
        else:
            part = Rows()
        try:
            _LAYERS[record.kind](part, record.seq, record.body)
        except DataError as error:
            self.refused.append((record.seq, error))
            return
        for name in TABLES if part is not self else ():
            getattr(self, name).extend(getattr(part, name))


TABLES = (
    "configs",
    "devices",
    "factor_sets",
    "streams",
    "swaps",
    "facts",
    "polls",
    "intervals",
    "interval_bases",
    "interval_streams",
    "interval_emissions",
    "interval_figures",
    "windows",
    "serials",
    "events",
)

#: A stream's part in the first form ends here; one that is no stack and has no coal, there.
_OLD_STREAM_FIELDS = 12
_PLAIN_STREAM_FIELDS = 18

#: A fact's part in the first form ends here.
_OLD_FACT_FIELDS = 9

#: Column types of a body: i integer, n integer or None, t text, b bytes, l array,
#: m array or None
_TYPES = {
    "i": (int,),
    "n": (int, type(None)),
    "t": (str,),
    "b": (bytes,),
    "l": (list,),
    "m": (list, type(None)),
}


def _columns(seq: int, values: object, types: str) -> list[object]:
    """`values` checked to be an array of these types, integers within 64 bits signed."""
    if not isinstance(values, list) or len(values) != len(types):
        raise DataError("data.record", seq=seq, reason="a part has the wrong number of fields")
    for value, kind in zip(values, types, strict=True):
        if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
            raise DataError("data.record", seq=seq, reason="a field has the wrong type")
        if isinstance(value, str) and "\0" in value:
            raise DataError("data.record", seq=seq, reason="a text holds NUL")
        if isinstance(value, int):
            check_int64(value, f"a field of record {seq}")
    return values


def _check_places(seq: int, places: object) -> None:
    if not isinstance(places, int) or not 0 <= places <= PLACES_MAX:
        raise DataError("data.record", seq=seq, reason="a value has impossible places")


def _lay_table(rows: Rows, seq: int, body: list[list[object]]) -> None:
    for part in body:
        code = part[0] if isinstance(part, list) and part and is_integer(part[0]) else None
        if code == Part.CONFIG:
            _, digest, version = _columns(seq, part, "ibt")
            if rows.configs:
                raise DataError("data.record", seq=seq, reason="a configuration stands twice")
            rows.configs.append((seq, digest, version))
        elif code == Part.DEVICE:
            _lay_device(rows, seq, part)
        elif code == Part.FACTORS:
            rows.factor_sets.append(tuple(_columns(seq, part, "itb")[1:]))
        elif code == Part.STREAM:
            _lay_stream(rows, seq, part)
        elif code == Part.LEARNED:
            _columns(seq, part, "iiilli")  # for the gateway itself; the raw record keeps it
        elif code == Part.SWAP:
            rows.swaps.append((seq, *_columns(seq, part, "ittnittt")[1:]))
        elif code == Part.FACT:
            _lay_fact(rows, seq, part)
        elif code == Part.WINDOWS:
            _lay_windows(rows, seq, part)
        elif code == Part.SERIAL:
            rows.serials.append((seq, *_columns(seq, part, "iti")[1:]))
        else:
            raise DataError("data.record", seq=seq, reason="an unknown part of a table")


def _lay_device(rows: Rows, seq: int, part: list[object]) -> None:
    _, number, *rest, points = _columns(seq, part, "iittitbil")
    assert isinstance(points, list)
    for point in points:
        _check_places(seq, _columns(seq, point, "ttit")[2])
    rows.devices.append((number, seq, *rest, pack.encode(points)))


def _lay_stream(rows: Rows, seq: int, part: list[object]) -> None:
    if len(part) == _OLD_STREAM_FIELDS:
        _, number, *rest = _columns(seq, part, "iittitiitbtb")
        rows.streams.append((number, seq, *rest, None, None, None))
        return
    _, number, *rest = _columns(seq, part[:_OLD_STREAM_FIELDS], "iittitiitbtb")
    tail = _columns(seq, part[_OLD_STREAM_FIELDS:_PLAIN_STREAM_FIELDS], "tltmll")
    basis, rates, place, limits, inputs, summands = tail
    assert isinstance(rates, list)
    for rate in rates:
        _columns(seq, rate, "tiitb")
    told = [rates, limits, inputs, summands]
    if len(part) > _PLAIN_STREAM_FIELDS:
        told += _columns(seq, part[_PLAIN_STREAM_FIELDS:], "ml")
    details = pack.encode(told)
    rows.streams.append((number, seq, *rest, basis, place, details))


def rates_of(details: bytes | None) -> list[Row]:
    """(position, basis, numerator, denominator, factor, digest) from a stream's last column."""
    if details is None:
        return []
    rates: Any = pack.decode(details)
    return [(at, *rate) for at, rate in enumerate(rates[0])]


def _lay_fact(rows: Rows, seq: int, part: list[object]) -> None:
    types = "ittiitttt" if len(part) == _OLD_FACT_FIELDS else "ittiittttii"
    fields = _columns(seq, part, types)[:_OLD_FACT_FIELDS]
    _check_places(seq, fields[4])
    rows.facts.append((seq, *fields[1:]))


def _lay_windows(rows: Rows, seq: int, part: list[object]) -> None:
    _, windows = _columns(seq, part, "il")
    assert isinstance(windows, list)
    for at, window in enumerate(windows):
        rows.windows.append((seq, at, *_columns(seq, window, "tiitt")))


def _lay_figures(rows: Rows, seq: int, stream: object, figures: object) -> None:
    assert isinstance(figures, list)
    for figure in figures:
        fields = _columns(seq, figure, "tttnit")
        _check_places(seq, fields[4])
        rows.interval_figures.append((seq, len(rows.interval_figures), stream, *fields))


def _lay_poll(rows: Rows, seq: int, body: list[Any]) -> None:
    device, values, flat, _ = body
    if not flat and device <= INT64_MAX:  # most polls
        there = values
        if None in values:
            there = [value for value in values if value is not None]
        if not there or (min(there) >= INT64_MIN and max(there) <= INT64_MAX):
            rows.polls.append((seq, device, values, None))
            return
    codes = dict(zip(flat[::2], flat[1::2], strict=True))
    if 2 * len(codes) != len(flat) or not set(codes) <= set(range(len(values))):
        raise DataError("data.record", seq=seq, reason="a quality points nowhere or twice")
    _columns(seq, [device, *codes.values()], "i" * (1 + len(codes)))
    for point, value in enumerate(values):
        if value is not None:
            check_int64(value, f"point {point} of record {seq}")
    qualities = None
    if codes:
        plain = (None if value is None else 0 for value in values)
        qualities = [codes.get(point, code) for point, code in enumerate(plain)]
    rows.polls.append((seq, device, values, qualities))


def _lay_interval(rows: Rows, seq: int, body: list[object]) -> None:
    start_ms, end_ms, streams, totals = _columns(seq, body, "iill")
    assert isinstance(streams, list) and isinstance(totals, list)
    figures: object = []
    if len(totals) == OLD_TOTAL_FIELDS:
        sums = [*_columns(seq, totals, "nnnnn"), None, None]
    else:
        if len(totals) > TOTAL_FIELDS:
            (figures,) = _columns(seq, totals[TOTAL_FIELDS:], "l")
        *sums, bases = _columns(seq, totals[:TOTAL_FIELDS], "nnnnnnnl")
        assert isinstance(bases, list)
        rows.interval_bases += [(seq, *_columns(seq, basis, "tnnnn")) for basis in bases]
        if len({row[1] for row in rows.interval_bases}) != len(bases):
            raise DataError("data.record", seq=seq, reason="a basis stands twice in an interval")
    rows.intervals.append((seq, start_ms, end_ms, *sums))
    for entry in streams:
        _lay_entry(rows, seq, entry)
    _lay_figures(rows, seq, None, figures)
    if len({row[1] for row in rows.interval_streams}) != len(streams):
        raise DataError("data.record", seq=seq, reason="a stream stands twice in an interval")


def _lay_entry(rows: Rows, seq: int, entry: object) -> None:
    if isinstance(entry, list) and len(entry) == OLD_ENTRY_FIELDS:
        rows.interval_streams.append((seq, *_columns(seq, entry, "ininnii"), None, None, None))
        return
    figures: object = []
    if isinstance(entry, list) and len(entry) > ENTRY_FIELDS:
        figures, _ = _columns(seq, entry[ENTRY_FIELDS:], "ll")
        entry = entry[:ENTRY_FIELDS]
    *fields, others, state = _columns(seq, entry, "ininnii" + "iill")
    _lay_figures(rows, seq, fields[0], figures)
    assert isinstance(others, list)
    rows.interval_streams.append((seq, *fields, pack.encode(state)))
    for position, emission in enumerate(_columns(seq, others, "n" * len(others))):
        rows.interval_emissions.append((seq, fields[0], position, emission))


def _lay_event(rows: Rows, seq: int, body: list[object]) -> None:
    code, flat = _columns(seq, body, "tl")
    assert isinstance(flat, list)
    if len(flat) % 2 or not all(isinstance(name, str) for name in flat[::2]):
        raise DataError("data.record", seq=seq, reason="event fields are not pairs")
    rows.events.append((seq, code, as_json(dict(zip(flat[::2], flat[1::2], strict=True)))))


def _lay_nothing(rows: Rows, seq: int, body: list[object]) -> None:
    """CLOCK and TOMBSTONE are kept raw only."""


_LAYERS: dict[int, Callable[[Rows, int, Any], None]] = {
    Kind.TABLE: _lay_table,
    Kind.POLL: _lay_poll,
    Kind.INTERVAL: _lay_interval,
    Kind.EVENT: _lay_event,
    Kind.CLOCK: _lay_nothing,
    Kind.TOMBSTONE: _lay_nothing,
}
