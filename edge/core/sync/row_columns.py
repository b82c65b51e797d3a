"""Rows of a journal to the columns of a batch, see `sync.columns`: value by value.

A batch may be as large as what an ESP32's heap has free: no record is decoded as a whole, a value
goes from the row's bytes to the batch's, and of each device only its last values are kept.
"""

from edge.core.errors import DataError
from edge.core.journal.record import Kind
from edge.core.numbers import pack
from edge.core.numbers.fixed import check_int64

_HALF = 1 << 63


def put_columns(out: bytearray, rows: "list[bytes]") -> None:
    """Append the five columns of consecutive records; rows: their canonical bytes.

    Raises DataError "data.record" for a device that has polls of different widths.
    """
    clocks: list[int] = []
    times: list[int] = []
    order: list[int] = []
    readers = [pack.Reader(row) for row in rows]
    before_ms = 0
    for reader in readers:
        reader.count()
        kind, _, boot, mono_ms, wall_ms, quality = [reader.integer() for _ in range(6)]
        run = [boot, wall_ms - mono_ms, quality]
        if clocks[-3:] == run:
            clocks[-4] += 1
        else:
            clocks.append(1)
            clocks.extend(run)
        times.append(mono_ms - before_ms)
        before_ms = mono_ms
        if kind == Kind.POLL:
            reader.count()
            order.append(reader.integer())
        else:
            order.append(-1 - kind)
    for column in (clocks, times, order):
        pack.put(out, column)
    _put_polls(out, readers, order)
    pack.put_array(out, sum([1 for code in order if code < 0]))
    for code, reader in zip(order, readers):
        if code < 0:
            out.extend(memoryview(reader.data)[reader.at :])


def _put_polls(out: bytearray, readers: list[pack.Reader], order: list[int]) -> None:
    """Append the blocks of all devices; a reader stands at the values of its poll."""
    devices = sorted({code for code in order if code >= 0}, key=int)
    pack.put_array(out, len(devices))
    for device in devices:
        polls = [reader for code, reader in zip(order, readers) if code == device]
        points = polls[0].count()
        pack.put_array(out, 5)
        pack.put_int(out, device)
        pack.put_int(out, points)
        _put_deltas(out, polls, points)
        _put_triples(out, polls)
        _put_triples(out, polls)


def _put_deltas(out: bytearray, polls: list[pack.Reader], points: int) -> None:
    last = [0] * points
    pack.put_array(out, points * len(polls))
    for reader in polls:
        if reader is not polls[0] and reader.count() != points:
            raise DataError("data.record", seq=-1, reason="the device changed its width")
        for index in range(points):
            value = reader.value()
            if isinstance(value, int):
                check_int64(value, "a reading")
                pack.put_int(out, wrapped(value - last[index]))
                last[index] = value
            else:
                pack.put(out, value)


def _put_triples(out: bytearray, polls: list[pack.Reader]) -> None:
    """Append what is [point, item, ...] in each poll as [poll, point, item, ...] of all."""
    counts = [reader.count() >> 1 for reader in polls]
    pack.put_array(out, 3 * sum(counts))
    for poll, reader in enumerate(polls):
        for _ in range(counts[poll]):
            pack.put_int(out, poll)
            pack.put(out, reader.value())
            pack.put(out, reader.value())


def wrapped(number: int) -> int:
    """`number` modulo 2^64, signed: two extreme readings differ by more than 64 bits hold."""
    if -_HALF <= number < _HALF:
        return number
    return (number + _HALF) % (2 * _HALF) - _HALF
