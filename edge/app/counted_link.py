"""A Link that counts what becomes of its requests, by station and result."""

from edge.core.errors import BusError
from edge.ports.contracts import Link

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Set in the function code of an exception reply (Modbus application protocol V1.1b3, section 7).
EXCEPTION_FLAG = 0x80


class CountedLink(Link):
    """Passes everything on to another link.

    counts: (station, result) -> requests that ended so. Results are "ok", "exception" for a
    Modbus exception, "damaged" for a reply that did not fit its request, else the last part of a
    BusError's code, like "timeout".
    """

    def __init__(self, link: Link) -> None:
        self.link = link
        self.counts: dict[tuple[int, str], int] = {}
        self._station = 0
        self._answered: tuple[int, str] | None = None

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self._station = request[0]
        self._answered = None
        self.link.start(request, timeout_ms, gap_ms)

    def poll(self) -> "bytes | memoryview | None":
        try:
            reply = self.link.poll()
        except BusError as error:
            self._count(error.code.rpartition(".")[2])
            raise
        if reply is not None:
            self.latency_us = self.link.latency_us
            is_refused = len(reply) > 1 and reply[1] & EXCEPTION_FLAG
            self._answered = self._count("exception" if is_refused else "ok")
        return reply

    def ordered(self) -> "list[tuple[tuple[int, str], int]]":
        """The counts by station, then result."""
        return [(key, self.counts[key]) for key in sorted(self.counts, key=lambda k: (k[0], k[1]))]

    def _count(self, result: str) -> tuple[int, str]:
        key = (self._station, result)
        self.counts[key] = self.counts.get(key, 0) + 1
        return key

    def distrust(self) -> None:
        if self._answered is not None:  # it was taken for a reply, and was none
            self.counts[self._answered] -= 1
            self._answered = None
            self._count("damaged")
        self.link.distrust()

    def findings(self) -> "Sequence[BusError]":
        return self.link.findings()

    def close(self) -> None:
        self.link.close()
