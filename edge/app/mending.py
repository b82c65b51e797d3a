"""What a recorder does about a store that fails, is full, or has a journal that is damaged."""

from edge.core.errors import StoreError
from edge.core.journal.chain import Chain
from edge.core.journal.record import MEMORY, Kind, decode_record

#: A failed commit is tried again after this long.
RETRY_MS = 1_000

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.recorder import Recorder
    from edge.core.journal.retain import Removal


def drop(recorder: "Recorder", kind: int, now_ms: int) -> None:
    """Count a record for which there is no room."""
    wall_ms = recorder.anchor.wall_ms(now_ms)
    if recorder.dropped[0] == 0:
        recorder.dropped[1] = wall_ms
    recorder.dropped[0] += 1
    recorder.dropped[2] = wall_ms
    if kind == Kind.POLL:
        recorder.dropped_polls += 1


def fail(recorder: "Recorder", error: StoreError, now_ms: int) -> None:
    """Try again later."""
    if error.code == "store.corrupt" and recorder.renewing is None:
        recorder.renewing = "damaged"
    recorder.failure = error
    recorder.commit_at_ms = now_ms + RETRY_MS


def recover(recorder: "Recorder", failure: StoreError, now_ms: int) -> None:
    """Tell what the failure was and what it cost."""
    fields: dict[str, object] = {"code": failure.code, "dropped": recorder.dropped_polls}
    count, start_ms, end_ms = recorder.dropped
    recorder.failure = None
    recorder.dropped_polls = 0
    recorder.dropped = [0, 0, 0]
    if count:
        body: list[object] = [None, None, MEMORY, start_ms, end_ms, count, None, None]
        recorder.add(Kind.TOMBSTONE, body, now_ms)
    recorder.event("store.recovered", fields, now_ms)


def renew(recorder: "Recorder", reason: str, now_ms: int) -> None:
    """See `Recorder.renew`."""
    recorder.renewing = reason
    try:
        begin_anew(recorder, reason)
    except StoreError as error:
        fail(recorder, error, now_ms)
        return
    recorder.tell(now_ms)
    recorder.commit(now_ms, True)


def begin_anew(recorder: "Recorder", reason: str) -> None:
    """Renew the journal; what waits gets its place in it."""
    recorder.store.renew(reason)
    recorder.renewing = None
    recorder.chain = Chain(recorder.store.next_seq, recorder.store.head)
    recorder.rows = [recorder.sealed(decode_record(row[2])) for row in recorder.rows]


def remove(recorder: "Recorder", removal: "Removal", now_ms: int) -> None:
    """Commit the records that stand for others, and let those go."""
    rows = [recorder.sealed(record) for record in removal.carried]
    rows += [recorder.made(Kind.TOMBSTONE, list(tomb), now_ms) for tomb in removal.tombstones]
    recorder.store.remove(rows, removal)
