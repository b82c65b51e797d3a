"""Letting the oldest segments of a ring log go, and telling anew what outlives them."""

from edge.ports.esp32.ring_ranges import missing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.ports.esp32.ring_store import RingStore


def release(store: "RingStore") -> None:
    """Let the oldest segments go while they hold next to nothing and space is short."""
    state = store.state
    for _ in range(store.segments.count):  # a ring of nothing but tables would go round for ever
        if not store.is_short() or state.oldest == state.generation:
            return
        kept = _outlives(store)
        if kept is None:
            return
        store.commit([], {"oldest": state.oldest + 1}, kept)
        store.firsts.pop(state.oldest - 1, None)


def _outlives(store: "RingStore") -> "list[tuple[int, bytes]] | None":
    """(seq, record) of what outlives the oldest segment: tables, and a few others; None: more."""
    state = store.state
    seqs = sorted([seq for seq in state.kept if state.kept[seq] == state.oldest], key=int)
    if state.oldest >= state.begun:
        first, end = store.first_of(state.oldest), store.first_of(state.oldest + 1)
        tables = len([seq for seq in state.tables if first <= seq < end])
        count = end - first - missing(store, first, end) - tables
        if count > store.kept_of_segment or store.kept_rows() + count > store.kept_max:
            return None
        seq = first
        while seq < end:
            gap = state.gap_from(seq)
            if gap is not None and gap[0] <= seq:
                seq = gap[1] + 1
                continue
            if seq not in state.kept:
                seqs.append(seq)
            seq += 1
    return [(seq, store.read(seq, seq)[0][0]) for seq in seqs]
