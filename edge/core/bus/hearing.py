"""What a line remembers, so that bytes out of turn get their name, see `heard`."""

from edge.core.bus.rtu import FRAME_MAX_BYTES, READ_HOLDING, READ_INPUT
from edge.core.errors import BusError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

#: Findings kept until somebody asks for them; bytes kept to name them.
FINDINGS_MAX = 8
HEARD_BYTES = 2 * FRAME_MAX_BYTES

READS = (READ_HOLDING, READ_INPUT)


class Hearing:
    """The memory of one line.

    findings: at most FINDINGS_MAX, the newest. last: request; requests: the last one of each
    station; failed: stations whose last one has.
    """

    def __init__(self) -> None:
        self.findings: list[BusError] = []
        self.last = b"\0"
        self.requests: dict[int, bytes] = {}
        self.failed: set[int] = set()

    def asked(self, request: bytes, failed: bool) -> None:
        """A transaction has ended; failed: without any reply."""
        self.last = request
        if request[1] in READS:
            self.requests[request[0]] = request
            if failed:
                self.failed.add(request[0])
            else:
                self.failed.discard(request[0])

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
