"""The report of a gateway: its status, what waits for the cloud, room, losses, requests.

The status port serves it while the gateway runs; without one, the half that a journal knows is
read from its file.
"""

from edge import VERSION
from edge.app.buffer import GONE, age_ms, read_losses, read_oldest
from edge.app.counted_link import CountedLink
from edge.app.gateway import Gateway
from edge.app.status import status_of
from edge.core.errors import StoreError
from edge.core.journal.clock import ClockQuality
from edge.ports.contracts import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Losses and room are looked up this often at most: they cost reads of the journal.
KEEP_MS = 10_000


def buffer_of(store: Store, now: "tuple[int, int, int, bool]") -> "dict[str, object]":
    """What waits for the cloud, as far as the journal knows.

    now: boot, mono_ms, wall_ms and whether the latter can be believed, see `buffer.age_ms`.
    """
    oldest = read_oldest(store)
    return {
        "records": store.next_seq - 1 - store.acked_seq,
        "oldest_age_ms": None if oldest is None else age_ms(oldest, *now),
    }


def room_of(store: Store, space: "dict[str, object]") -> "dict[str, object]":
    """What a journal has given up, and the room it has left.

    space: what the platform says of the medium, see `ports.linux.journal_space`.
    """
    losses = read_losses(store)
    room: dict[str, object] = {how + "_records": losses[how] for how in GONE}
    room.update(space)
    return room


class Reporter:
    """Reports on one running gateway. read_space: what the platform says of the medium."""

    def __init__(self, gateway: Gateway, read_space: "Callable[[], dict[str, object]]") -> None:
        self._gateway = gateway
        self._read_space = read_space
        self._room: dict[str, object] = {}
        self._room_at_ms: int | None = None

    def report(self, now_ms: int) -> "dict[str, object]":
        """The report now: the `--json` contract of `carbontally status`."""
        gateway = self._gateway
        acked_ms = gateway.uploader.last_ack_ms
        buffer = self._buffer(now_ms)
        buffer["last_ack_age_ms"] = None if acked_ms is None else now_ms - acked_ms
        report: dict[str, object] = {
            "source": "gateway",
            "gateway": gateway.uploader.gateway,
            "version": VERSION,
        }
        report.update(status_of(gateway, now_ms))
        report["buffer"] = buffer
        report["requests"] = [
            {"bus": poller.bus.name, "station": key[0], "result": key[1], "count": count}
            for poller in gateway.pollers
            if isinstance(poller.link, CountedLink)
            for key, count in poller.link.ordered()
        ]
        return report

    def _buffer(self, now_ms: int) -> "dict[str, object]":
        recorder = self._gateway.recorder
        is_set = recorder.anchor.quality != ClockQuality.UNSET
        now = (recorder.boot, now_ms, recorder.wall_ms(now_ms), is_set)
        try:
            found = buffer_of(recorder.store, now)
            if self._room_at_ms is None or now_ms - self._room_at_ms >= KEEP_MS:
                self._room = room_of(recorder.store, self._read_space())
                self._room_at_ms = now_ms
        except (StoreError, OSError):
            # The gateway meets the same failure and says so; nothing is known meanwhile.
            return {"records": None, "oldest_age_ms": None}
        found.update(self._room)
        return found
