"""Opening a ring log: what the flash has is taken up, or a ring is begun."""

from edge.core.errors import DataError, StoreError
from edge.ports.esp32.ring_cursor import Cursor
from edge.ports.esp32.ring_recovery import find_newest, finish_segment
from edge.ports.esp32.ring_state import FIELDS, RingState

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.ports.esp32.ring_store import RingStore
    from edge.ports.esp32.ring_writer import RingWriter


def open_ring(store: "RingStore") -> None:
    """Open or create, take back what was not finished, count this boot; errors: see RingStore."""
    if store.segments.count < 4:
        reason = f"{store.segments.count} segments, 4 are needed"
        raise StoreError("store.open", file=store.flash.name, reason=reason)
    newest = find_newest(store.segments)
    mark = store.read_mark()
    if newest is None:
        _create(store, mark)
    else:
        _take_up(store, newest)
        if store.state.gateway != store.gateway:
            found = store.state.gateway
            fields = {"file": store.flash.name, "found": found, "expected": store.gateway}
            raise StoreError("store.foreign", **fields)
        if store.is_damaged or not _agrees(store, mark):
            store.leave("damaged", mark)
        else:
            store.carry_on()
    state = store.state
    news = list(state.news)
    if not state.is_clean:
        news.append(["journal.cut", ["last", state.next_seq - 1]])
    store.commit([], {"boot": state.boot + 1, "is_clean": 0, "news": news})
    store.boot = state.boot


def retake(store: "RingWriter") -> None:
    """Go on from what the flash has."""
    newest = find_newest(store.segments)
    if newest is None:
        raise store.damage(store.next_seq - 1)
    _take_up(store, newest)
    store.is_stale = False


def _agrees(store: "RingWriter", mark: tuple[bytes, int, int, int] | None) -> bool:
    """The mark is never ahead of a journal that has lost nothing."""
    return mark is None or (mark[0] == store.epoch and mark[1] < store.next_seq)


def _create(store: "RingStore", mark: tuple[bytes, int, int, int] | None) -> None:
    """A ring with nothing in it; the mark may know what was there."""
    store.state = RingState(store.gateway, store.new_epoch())
    store.state.news = [["journal.begun", []]]
    if mark is not None:
        store.state.boot = mark[2]
        store.state.news = [["journal.lost", ["epoch", mark[0].hex(), "last", mark[1]]]]
    store.begin_segment(False)
    store.settle()


def _take_up(store: "RingWriter", generation: int) -> None:
    """Work with what the flash has, from its newest segment on."""
    store.forget()
    head = store.segments.head(generation)
    if head is None:
        raise store.damage(-1)
    store.is_damaged = False
    state = store.state = RingState(store.gateway, head.epoch)
    state.generation = generation
    cursor = Cursor(store.segments, head, False)
    try:
        _restore(state, head.state)
        state.next_seq, state.head, state.ended_ms = head.first_seq, head.before, head.ended_ms
        store.offset = finish_segment(store.segments, head)
        while cursor.next(store.offset, state) is not None:
            pass
        _check_segments(store)
    except (StoreError, DataError):
        store.is_damaged = True
        store.offset = store.segments.size
    store.codec = cursor.codec
    store.settle()


def _restore(state: RingState, fields: list[object]) -> None:
    """Take a snapshot; raises DataError "data.record"."""
    if len(fields) != len(FIELDS):
        raise DataError("data.record", seq=-1, reason="not the state of a ring")
    for name, value in zip(FIELDS, fields):
        if name == "tables":
            state.take_tables(value)  # type: ignore[arg-type]
        else:
            setattr(state, name, dict(value) if name == "kept" else value)  # type: ignore[call-overload]


def _check_segments(store: "RingWriter") -> None:
    """Every segment from the oldest to the newest is there, or was passed over."""
    before, absent = -1, 0
    for generation in range(store.state.oldest, store.state.generation + 1):
        head = store.segments.head(generation)
        if head is None:
            absent += 1
            continue
        is_ours = generation >= store.state.begun
        if absent > head.skipped or (is_ours and head.first_seq < before):
            raise store.damage(before)
        before, absent = head.first_seq if is_ours else -1, 0
