"""The report of a gateway: its status, what waits for the cloud, room, losses, requests.

The status port serves it while the gateway runs; without one, the half that a journal knows is
read from its file.
"""

from edge import VERSION
from edge.app.buffer import age_ms, read_losses, read_oldest
from edge.app.counted_link import CountedLink
from edge.app.gateway import Gateway
from edge.app.status import status_of
from edge.core.errors import StoreError
from edge.core.journal.clock import ClockQuality
from edge.ports.contracts import Store
from edge.ports.linux.journal_reader import JournalReader
from edge.ports.linux.journal_space import hours_left, read_space

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Losses and room are looked up this often at most: they cost reads of the journal.
KEEP_MS = 10_000


def buffer_of(store: Store, now: "tuple[int, int, int, bool]") -> dict[str, object]:
    """What waits for the cloud, as far as the journal knows.

    now: boot, mono_ms, wall_ms and whether the latter can be believed, see `buffer.age_ms`.
    """
    oldest = read_oldest(store)
    return {
        "records": store.next_seq - 1 - store.acked_seq,
        "oldest_age_ms": None if oldest is None else age_ms(oldest, *now),
    }


def room_of(journal: JournalReader, limit_bytes: int | None = None) -> dict[str, object]:
    """Room, rate and losses of a journal. Raises StoreError or OSError."""
    space = read_space(journal, limit_bytes)
    losses = read_losses(journal)
    waiting = journal.next_seq - 1 - journal.acked_seq
    return {
        "lost_records": losses["lost"],
        "thinned_records": losses["thinned"],
        "released_records": losses["released"],
        "journal_bytes": space.journal_bytes,
        "free_bytes": space.free_bytes,
        "bytes_per_hour": space.bytes_per_hour,
        "hours_left": hours_left(space, waiting),
    }


class Reporter:
    """Reports on one running gateway. read_room: what `room_of` says of its journal."""

    def __init__(self, gateway: Gateway, read_room: "Callable[[], dict[str, object]]") -> None:
        self._gateway = gateway
        self._read_room = read_room
        self._room: dict[str, object] = {}
        self._room_at_ms: int | None = None

    def report(self, now_ms: int) -> dict[str, object]:
        """The report now: the `--json` contract of `carbontally status`."""
        gateway = self._gateway
        acked_ms = gateway.uploader.last_ack_ms
        return {
            "source": "gateway",
            "gateway": gateway.uploader.gateway,
            "version": VERSION,
            **status_of(gateway, now_ms),
            "buffer": {
                **self._buffer(now_ms),
                "last_ack_age_ms": None if acked_ms is None else now_ms - acked_ms,
            },
            "requests": [
                {"bus": poller.bus.name, "station": key[0], "result": key[1], "count": count}
                for poller in gateway.pollers
                if isinstance(poller.link, CountedLink)
                for key, count in sorted(poller.link.counts.items())
            ],
        }

    def _buffer(self, now_ms: int) -> dict[str, object]:
        recorder = self._gateway.recorder
        is_set = recorder.anchor.quality != ClockQuality.UNSET
        now = (recorder.boot, now_ms, recorder.wall_ms(now_ms), is_set)
        try:
            found = buffer_of(recorder.store, now)
            if self._room_at_ms is None or now_ms - self._room_at_ms >= KEEP_MS:
                self._room = self._read_room()
                self._room_at_ms = now_ms
        except (StoreError, OSError):
            # The gateway meets the same failure and says so; nothing is known meanwhile.
            return {"records": None, "oldest_age_ms": None}
        return {**found, **self._room}
