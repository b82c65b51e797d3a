"""A short talk with stations over a link: one exchange at a time, each waited for.

Tools use it where the gateway would step: `wait` is what lets the time pass until the link has
something, so the session itself knows no clock.
"""

from edge.core.bus.rtu import decode_read_reply, encode_read
from edge.core.errors import BusError
from edge.core.field.rtu_write import decode_write_reply, encode_write
from edge.ports.contracts import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: A reply that came damaged is asked for again, this often in all.
TRIES = 3

_DAMAGED = ("bus.crc", "bus.short", "bus.mismatch", "bus.noise", "bus.timeout")


class LineSession:
    """Blocking exchanges over `link`; also a context manager that closes it."""

    def __init__(self, link: Link, wait: "Callable[[], None]", timeout_ms: int = 500) -> None:
        """wait: returns when the link may have ended its transaction; it may return early."""
        self.link = link
        self.timeout_ms = timeout_ms
        self.gap_ms = 0
        self._wait = wait

    def __enter__(self) -> "LineSession":
        return self

    def __exit__(self, *_: object) -> None:
        self.link.close()

    def exchange(self, request: bytes) -> bytes:
        """Send one request and return the reply frame; BusError when none came whole."""
        self.link.start(request, self.timeout_ms, self.gap_ms)
        while True:
            reply = self.link.poll()
            if reply is not None:
                return bytes(reply)
            self._wait()

    def read(self, station: int, function: int, address: int, count: int) -> tuple[int, ...]:
        """Read registers, asking again when the reply came damaged or not at all.

        Raises BusError for the last failure, DeviceError for an exception of the station.
        """
        request = encode_read(station, function, address, count)
        tried = 0
        while True:
            tried += 1
            try:
                return decode_read_reply(request, self.exchange(request))
            except BusError as error:
                if error.code not in _DAMAGED or tried >= TRIES:
                    raise
                self.link.distrust()

    def write(self, station: int, function: int, address: int, registers: tuple[int, ...]) -> None:
        """Write registers once; a write is never repeated by itself.

        Raises BusError when the confirmation did not come whole: the write may have happened.
        """
        request = encode_write(station, function, address, registers)
        try:
            decode_write_reply(request, self.exchange(request))
        except BusError:
            self.link.distrust()
            raise
