"""Listening to a line that others use: bytes and their times to whole frames, in pairs.

RTU frames end with 3.5 characters of silence, but an operating system hands bytes over in lumps,
so frames are told apart by their CRC and the lengths their functions imply first, by the silence
second. Source: serial line guide V1.02, 2.5.1; application protocol V1.1b3.
"""

from collections import namedtuple

from edge.core.bus.rtu import EXCEPTION_BYTES, FRAME_MAX_BYTES, crc16
from edge.core.field.trace import REPLY, REQUEST, Frame

#: What a frame says. count: registers or bits asked for; words: registers carried, in wire order;
#: turnaround_us: from the end of its request, None where unknown.
Decoded = namedtuple(
    "Decoded",
    ("station", "function", "address", "count", "words", "exception", "turnaround_us"),
)

_READS = (1, 2, 3, 4)
_SINGLE_WRITES = (5, 6)
_MULTIPLE_WRITES = (15, 16)


def is_whole(data: bytes) -> bool:
    """True if `data` is a frame whose CRC fits."""
    if len(data) < 4:
        return False
    crc = crc16(data[:-2])
    return data[-2] == crc & 0xFF and data[-1] == crc >> 8


def possible_lengths(data: bytes, at: int) -> tuple[tuple[int, str], ...]:
    """The (length, direction) a frame that begins at `at` may have, the likelier first."""
    if len(data) < at + 3:
        return ()
    function, third = data[at + 1], data[at + 2]
    if function & 0x80:
        return ((EXCEPTION_BYTES, REPLY),)
    if function in _READS:
        return ((8, REQUEST), (5 + third, REPLY))
    if function in _SINGLE_WRITES:
        return ((8, REQUEST),)
    if function in _MULTIPLE_WRITES:
        long = (9 + data[at + 6], REQUEST) if len(data) > at + 6 else (9, REQUEST)
        return (long, (8, REPLY))
    return ()


def find_frame(data: bytes, at: int) -> tuple[int, str] | None:
    """The (length, direction) of a whole frame that begins at `at`, or None."""
    for length, direction in possible_lengths(data, at):
        if at + length <= len(data) and is_whole(data[at : at + length]):
            return length, direction
    return None


class Splitter:
    """Cuts what is heard into frames; time is in microseconds and goes forward."""

    def __init__(self, character_us: int, silence_us: int) -> None:
        """silence_us: what ends a frame; allow for the lumps of the operating system."""
        self._character_us = character_us
        self._silence_us = silence_us
        self._data = b""
        self._end_us = 0
        self._asked: Frame | None = None

    def feed(self, now_us: int, data: bytes) -> list[Frame]:
        """Take bytes whose last one arrived at `now_us`; return the frames that are complete."""
        frames = []
        begin_us = now_us - len(data) * self._character_us
        if self._data and begin_us - self._end_us >= self._silence_us:
            frames = self._cut(True)
        self._data += data
        self._end_us = now_us
        frames += self._cut(False)
        if len(self._data) > 2 * FRAME_MAX_BYTES:
            frames += self._cut(True)
        return frames

    def rest(self, now_us: int) -> list[Frame]:
        """The frames that the silence up to `now_us` has ended."""
        if self._data and now_us - self._end_us >= self._silence_us:
            return self._cut(True)
        return []

    def _cut(self, is_ended: bool) -> list[Frame]:
        """Take whole frames off the front; with `is_ended` also what is none."""
        frames: list[Frame] = []
        while self._data:
            found = find_frame(self._data, 0)
            if found is not None:
                frames.append(self._take(found[0], found[1], True))
                continue
            if not is_ended:
                break
            frames.append(self._take(self._damaged(), "", False))
        return frames

    def _damaged(self) -> int:
        """How many bytes lie before the next whole frame."""
        for at in range(1, len(self._data)):
            if find_frame(self._data, at) is not None:
                return at
        return len(self._data)

    def _take(self, length: int, direction: str, whole: bool) -> Frame:
        data, self._data = self._data[:length], self._data[length:]
        end_us = self._end_us - len(self._data) * self._character_us
        asked = self._asked
        answers = asked is not None and asked.data[0] == data[0]
        if not whole:
            direction = REQUEST if asked is None else REPLY
        elif direction == REQUEST and answers and asked is not None:
            # A confirmed write comes back as it was sent; the same read again is a repetition.
            if data == asked.data and data[1] in _SINGLE_WRITES:
                direction = REPLY
        frame = Frame(end_us - length * self._character_us, end_us, direction, data, whole)
        self._asked = frame if direction == REQUEST and whole else None
        return frame


def decode_frame(frame: Frame, asked: "Frame | None" = None) -> Decoded:
    """What a whole frame says; asked: the request it answers, for address and turnaround."""
    data = frame.data
    function = data[1] & 0x7F
    address = count = exception = turnaround = None
    words: tuple[int, ...] = ()
    if data[1] & 0x80:
        exception = data[2]
    elif frame.direction == REPLY and function in _READS:
        words = _words(data[3:-2]) if function in (3, 4) else tuple(data[3:-2])
    elif len(data) >= 8:
        address = (data[2] << 8) | data[3]
        count = (data[4] << 8) | data[5]
        if function in _SINGLE_WRITES:
            words, count = (count,), 1
        elif function == 16 and frame.direction == REQUEST:
            words = _words(data[7:-2])
    if frame.direction == REPLY and asked is not None and asked.data[0] == data[0]:
        turnaround = frame.t_us - asked.end_us
        if address is None:
            address = (asked.data[2] << 8) | asked.data[3]
            count = (asked.data[4] << 8) | asked.data[5]
    return Decoded(data[0], function, address, count, words, exception, turnaround)


def _words(data: bytes) -> tuple[int, ...]:
    return tuple([(data[i] << 8) | data[i + 1] for i in range(0, len(data) - 1, 2)])
