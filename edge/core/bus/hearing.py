"""What was heard on a line when something else, or nothing, was expected.

Which request failed and which was answered is remembered by station, so that bytes out of turn
get their name: a late reply, a second device with the same number, another master, noise.
"""

from edge.core.bus.rtu import (
    EXCEPTION_BYTES,
    FRAME_MAX_BYTES,
    READ_HOLDING,
    READ_INPUT,
    crc16,
    read_reply_bytes,
)
from edge.core.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Findings kept until somebody asks for them; bytes kept to name them, and to show.
FINDINGS_MAX = 8
HEARD_BYTES = 2 * FRAME_MAX_BYTES
SHOWN_BYTES = 32

#: Length of a read request.
REQUEST_BYTES = 8

READS = (READ_HOLDING, READ_INPUT)


class Hearing:
    """The memory of one line. findings: at most FINDINGS_MAX, the newest."""

    def __init__(self) -> None:
        self.findings: list[BusError] = []
        self.last = b"\0"
        self._asked: dict[int, tuple[bytes, bool]] = {}  # by station, with "it has failed"

    def asked(self, request: bytes, failed: bool) -> None:
        """A transaction has ended; failed: without any reply."""
        self.last = request
        if request[1] in READS:
            self._asked[request[0]] = (request, failed)

    def note(self, finding: BusError) -> None:
        """Keep a finding until somebody asks."""
        self.findings.append(finding)
        if len(self.findings) > FINDINGS_MAX:
            self.findings.pop(0)

    def taken(self) -> "Sequence[BusError]":
        """The findings, once."""
        if not self.findings:
            return ()
        found = []
        while self.findings:  # a worker thread may add meanwhile
            found.append(self.findings.pop(0))
        return found

    def name(self, heard: bytes) -> BusError:
        """What bytes are that came when nothing was expected.

        A whole request: another master. A whole reply to something asked a while ago: late when
        that had failed, a second device with the same number when it had been answered.
        """
        code, station = "bus.stray", self.last[0]
        for at in range(len(heard) - EXCEPTION_BYTES + 1):
            request, failed = self._asked.get(heard[at], (b"", False))
            frame = heard[at : at + read_reply_bytes(request)] if request else b""
            if frame and frame[1] == request[1] and not crc16(frame):
                code, station = ("bus.late" if failed else "bus.two_answers"), frame[0]
                break
            frame = heard[at : at + REQUEST_BYTES]
            if len(frame) == REQUEST_BYTES and frame[1] in READS and not crc16(frame):
                code = "bus.foreign_master"
                break
        return BusError(code, station=station, frame_hex=heard[:SHOWN_BYTES].hex())

    def distrusted(self, reply: bytes) -> None:
        """A reply did not answer its request: note whose it was, where that can be told."""
        found = self.name(reply)
        other = found.fields["station"] != self.last[0] and found.code != "bus.stray"
        if other or found.code == "bus.foreign_master":
            self.note(found)


def find_reply(request: bytes, heard: bytes) -> bytes:
    """The whole reply to a read that lies behind stray bytes, b"" when there is none."""
    length = read_reply_bytes(request)
    for at in range(1, len(heard) - length + 1):
        frame = heard[at : at + length]
        if frame[:2] == request[:2] and not crc16(frame):
            return frame
    return b""
