"""The interval of one stack computed again from the samples between two interval records."""

from edge.core.carbon.account import Accountant
from edge.core.carbon.geometry import find_source, told
from edge.core.carbon.resume import looks_back, recall, restore
from edge.core.carbon.streams import Stream, stack_stream
from edge.core.carbon.trail import Book
from edge.core.journal.clock import ClockQuality
from edge.core.journal.record import Kind, Part, Record


def recount(
    book: Book,
    definition: list,
    windows: list[list],
    past: list[Record],
    between: list[Record],
    interval: Record,
) -> list | None:
    """The stack's entry in the interval as its samples give it; None when they cannot.

    windows: the declared ones in force before `between`; past: the interval records before, the
    oldest first; between: every record since the last of them, in order, behind some polls from
    before it, for what is older than the interval. It fails for a definition of an older form,
    and without any sample.
    """
    stream = _stream(book, definition)
    if stream is None:
        return None
    account = Accountant((stream,), 1)
    if past:
        same = {stream.number: book.ancestors(definition)}
        for record in past if looks_back(account) else []:
            recall(account, record.body, same)
        restore(account, past[-1].body, same)
    account.declare(windows)
    first = past[-1].seq if past else -1
    for record in between:
        _put(account, record, record.seq > first)
    body = account.close(interval.body[1])
    if body is None:
        return None
    entries = body[2]
    return entries[0] if isinstance(entries, list) else None


def _put(account: Accountant, record: Record, counts: bool) -> None:
    """Put a record into the account; counts: False for what lies before the interval."""
    if record.kind == Kind.TABLE:
        for part in record.body:
            if part[0] == Part.WINDOWS:
                account.declare(part[1])
    elif record.kind == Kind.POLL:
        device, values, flat, _ = record.body
        qualities = {flat[at]: flat[at + 1] for at in range(0, len(flat), 2)}
        if not counts:
            account.remember(device, record.boot, record.mono_ms, values, qualities)
            return
        wall_ms = None if record.clock == ClockQuality.UNSET else record.wall_ms
        account.observe(device, record.boot, record.mono_ms, wall_ms, values, qualities)


def _stream(book: Book, definition: list) -> Stream | None:
    geometry = told(definition)
    if geometry is None:
        return None
    places = [book.places_of(owner, point) for owner, point in definition[16]]
    found = find_source(definition, places, [geometry])
    if found is None:
        return None
    source, rules = found
    poll_ms = book.device(source.inputs[0][0])[7]
    return stack_stream(definition[1], definition[2], poll_ms, source, definition[11], rules=rules)
