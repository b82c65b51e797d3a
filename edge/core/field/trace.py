"""A trace: frames as they passed on a line, each with its time, one line of JSON a frame.

    {"trace":1,"baud":9600,"format":"8N1"}
    {"t_us":1200,"dir":"request","hex":"010300000001840a"}

is what a recording is made of and what the emulator plays back. Times are microseconds since the
trace began, of a frame's first character.
"""

from collections import namedtuple

#: t_us: when the first byte passed; end_us: the last; direction: "request" or "reply";
#: data: the bytes; is_whole: the CRC fits.
Frame = namedtuple("Frame", ("t_us", "end_us", "direction", "data", "is_whole"))

REQUEST = "request"
REPLY = "reply"

#: A ring this large shows a quarter of an hour of a busy line and stays below a megabyte.
RING_FRAMES = 10_000


def encode_head(baud: int, serial_format: str) -> str:
    """The first line of a trace: the settings of the line it was taken on."""
    return '{"trace":1,"baud":%d,"format":"%s"}' % (baud, serial_format)


def encode_row(frame: Frame, origin_us: int = 0) -> str:
    """One frame as a line of a trace, without the line's end.

    origin_us: the moment that counts as 0; a frame from before it counts from 0 too.
    """
    t_us = max(0, frame.t_us - origin_us)
    return '{"t_us":%d,"dir":"%s","hex":"%s"}' % (t_us, frame.direction, frame.data.hex())


class Recorder:
    """Keeps the newest frames of a line; what a poller or a tap tells it, oldest first."""

    def __init__(self, limit: int = RING_FRAMES) -> None:
        """limit: frames kept, at least 1; older ones go."""
        self.limit = limit
        self.dropped = 0
        self._frames: list[Frame] = []
        self._first = 0

    def add(self, frame: Frame) -> None:
        """Take one frame; the oldest makes room."""
        if len(self._frames) < self.limit:
            self._frames.append(frame)
            return
        self._frames[self._first] = frame
        self._first = (self._first + 1) % self.limit
        self.dropped += 1

    def exchange(self, request: Frame, reply: "Frame | None") -> None:
        """Take a transaction as a master saw it; reply None for silence."""
        self.add(request)
        if reply is not None:
            self.add(reply)

    def frames(self) -> list[Frame]:
        """What is kept, oldest first."""
        return self._frames[self._first :] + self._frames[: self._first]

    def rows(self) -> list[str]:
        """The lines of a trace that begins with the oldest frame kept."""
        kept = self.frames()
        return [encode_row(frame, kept[0].t_us) for frame in kept]
