"""A gateway in the loop of an ESP32: a step of everything, and what is done when it fails."""

import edge.app.recorder
import edge.app.uploader
from edge import VERSION
from edge.app.gateway import Gateway
from edge.app.progress import Progress
from edge.core.errors import TallyError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.ports.esp32.board import Board
    from edge.ports.esp32.ring_store import RingStore
    from edge.ports.esp32.sntp import Sntp

#: What a board has memory for: bytes of the records of a batch, acks that wait for the next step,
#: records of a read at the start, those that wait for the flash.
ROWS_BYTES = 1024
ACKS_MAX = 3
REPLAY_CHUNK = 1
LOOK_BACK = 64
WAITING_MAX = 32

#: The longest the loop sleeps, and while a reply is awaited.
REST_MS = 50
BUSY_MS = 3

#: While it only waits for a reply, everything else is looked at this often.
LOOK_MS = 50
PROGRESS_MS = 500

_WHY_BYTES = 100


class Program:
    """One start of a gateway. limit_ms: how long work may be due; ssid: of its Wi-Fi."""

    def __init__(
        self,
        board: "Board",
        gateway: Gateway,
        limit_ms: int,
        sntp: "Sntp | None",
        ssid: str | None,
    ) -> None:
        self.board = board
        self.gateway = gateway
        self._sntp, self._ssid = sntp, ssid
        self._links = [poller.link for poller in gateway.pollers]
        self._look_ms = self._progress_ms = now_ms = board.clock.mono_ms()
        self._progress = Progress(gateway, limit_ms, now_ms)

    def step(self) -> int:
        """One step of everything; the milliseconds until the next one is wanted."""
        now_ms = self.board.clock.mono_ms()
        if now_ms < self._look_ms:
            line_ms = self._line_ms()
            if line_ms:
                return max(BUSY_MS, min(line_ms, self._look_ms - now_ms))
        self.board.join(self._ssid, now_ms)
        if self._sntp is not None:
            self._sntp.step(now_ms)
        due_ms = self.gateway.step(now_ms)
        self._look_ms = min(due_ms, now_ms + LOOK_MS)
        if now_ms >= self._progress_ms:
            self._progress_ms = now_ms + PROGRESS_MS
            if not self._progress.look(now_ms):
                self.board.feed()
        line_ms = self._line_ms()
        if line_ms is not None:
            return max(BUSY_MS, min(line_ms, self._look_ms - now_ms))
        return max(1, min(REST_MS, due_ms - self.board.clock.mono_ms()))

    def _line_ms(self) -> int | None:
        """How long no bus can have a whole frame; 0 when one may have, None when none is busy."""
        soonest_ms = None
        for link in self._links:
            if link.is_busy:  # type: ignore[attr-defined]
                rest_ms = link.rest_ms()  # type: ignore[attr-defined]
                if soonest_ms is None or rest_ms < soonest_ms:
                    soonest_ms = rest_ms
        return soonest_ms


def take_up(
    begun: Program,
    definitions: "Iterable[list[object]]",
    ancestors: dict[int, list[int]],
    cause: dict[str, object],
) -> None:
    """Go on with the journal; cause: why the board started. See `Gateway.start`."""
    now_ms = begun.board.clock.mono_ms()
    recorder = begun.gateway.recorder
    store: RingStore = recorder.store  # type: ignore[assignment]
    # Places in the journal take some KiB each; those of before and of the start go at once.
    store.forget()
    begun.gateway.start(definitions, ancestors, now_ms)
    store.forget()
    recorder.event("gateway.reset", cause, now_ms)
    print("gateway", VERSION, "boot", recorder.boot, "seq", recorder.store.next_seq)


def bound_memory() -> None:
    """Of the app's bounds, those that are for machines with more memory."""
    edge.app.recorder.CHUNK = REPLAY_CHUNK
    edge.app.recorder.LOOK_BACK = LOOK_BACK
    edge.app.recorder.WAITING_MAX = WAITING_MAX
    edge.app.recorder.WAITING_ALL_MAX = WAITING_MAX + WAITING_MAX // 4
    edge.app.uploader.ROWS_BYTES = ROWS_BYTES
    edge.app.uploader.ACKS_MAX = ACKS_MAX


def fail(board: "Board", error: Exception) -> None:
    """Say what ended a start, keep it for the next one, and begin anew."""
    try:
        told = _describe(error)
        print("failed:", told)
        board.vault.note("why", told.encode()[:_WHY_BYTES])
    finally:  # where even that finds no memory
        board.reset()


def _describe(error: Exception) -> str:
    if isinstance(error, TallyError):
        parts = [name + "=" + str(error.fields[name]) for name in sorted(error.fields, key=str)]
        return " ".join([error.code] + parts)
    return type(error).__name__ + " " + str(error)
