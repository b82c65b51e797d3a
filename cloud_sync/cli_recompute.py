"""Verbs over raw records: compute intervals again, and say how complete the cloud is."""

import errno
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

from cloud_sync.cli_audit import (
    FromOption,
    GatewayOption,
    StoreOption,
    ToOption,
    period_of,
    progress,
    reading,
)
from cloud_sync.gaps import Counts, Day, find_missing, find_removed
from cloud_sync.raw import Journal, Period, find_journals, read_segments
from cloud_sync.recompute import DIFFERS, UNPROVEN, Outcome, Recomputer
from cloud_sync.results import ResultFile, ResultRows, as_line, head_of
from cloud_sync.revise import Revision, read_set, read_tariffs
from cloud_sync.stacks import read_stacks
from cloud_sync.store.address import open_store, parse_address
from cloud_sync.store.contract import Store
from edge.core.errors import StoreError, UsageError
from edge.core.journal.record import Kind
from edge.core.numbers.quality import NAMES

_COUNT = "SELECT count(*) FROM records WHERE journal = ? AND kind = ?"


def recompute(
    store: StoreOption,
    gateway: GatewayOption = None,
    since: FromOption = "",
    until: ToOption = "",
    factors: Annotated[
        str, typer.Option(help="another factor set, its .toml file or id, for a second result")
    ] = "",
    result: Annotated[str, typer.Option(help="name of the second result, kept in the store")] = "",
    out: Annotated[Path | None, typer.Option(help="new NDJSON file for the second result")] = None,
    config: Annotated[
        Path | None, typer.Option(help="gateway.toml: the stacks' geometry, proven by digest")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object an interval")] = False,
) -> int:
    """Compute intervals again from raw polls; exit status 65 if a figure does not come out."""
    if (factors == "") != (out is None and result == ""):
        _refuse_factors(factors)
    period = period_of(since, until)
    revision = Revision(read_set(factors)) if factors else None
    given = ([], []) if config is None else (read_stacks(config), read_tariffs(config))
    tally = _Tally(json)
    with ExitStack() as stack:
        database = stack.enter_context(reading(store))
        journals = find_journals(database, gateway)
        if revision is not None:
            tally.results = _results(stack, store, journals, revision, result, out)
        totals = [database.query(_COUNT, one.number, Kind.INTERVAL)[0][0] for one in journals]
        advance = stack.enter_context(progress("intervals", sum(totals), json))
        for journal in journals:
            engine = Recomputer(database, journal, revision.stream if revision else None, *given)
            for outcome in engine.run(period, advance):
                tally.take(journal, outcome)
        for results in tally.results:
            results.end(time.time_ns() // 1_000_000)
    if not json:
        print(_summary(tally, revision, result or out))
    return 65 if tally.counts[DIFFERS] else 0


def _refuse_factors(factors: str) -> None:
    expected = "--factors with --result or --out: a second result stands beside the first"
    found = factors or "nothing"
    raise UsageError("usage.value", option="--factors", found=found, expected=expected)


def _results(
    stack: ExitStack,
    store: str,
    journals: list[Journal],
    revision: Revision,
    name: str,
    out: Path | None,
) -> list[ResultRows | ResultFile]:
    """Where the second result goes, open as long as `stack` is."""
    found: list[ResultRows | ResultFile] = []
    if name:
        writing = stack.enter_context(closing(open_store(parse_address(store))))
        found.append(ResultRows(writing, journals, name, revision))
    if out is not None:
        found.append(ResultFile(stack.enter_context(_new_file(out)), revision))
    return found


class _Tally:
    """Tells and counts outcomes. results: where the second result of each goes."""

    def __init__(self, json: bool) -> None:
        self._json = json
        self.results: list[ResultRows | ResultFile] = []
        self.counts: Counter[str] = Counter()
        self.given: set[str] = set()

    def take(self, journal: Journal, outcome: Outcome) -> None:
        """Take the next one."""
        self.counts[outcome.status] += 1
        self.counts["revised"] += outcome.revised is not None
        self.given.update(outcome.given)
        _tell(journal, outcome, self._json)
        for results in self.results:
            results.take(journal, outcome)


def _summary(tally: _Tally, revision: Revision | None, name: object) -> str:
    counts = tally.counts
    text = f"{counts['equal']} intervals equal, {counts[DIFFERS]} differ"
    text += f", {counts[UNPROVEN]} unproven"
    if revision is not None:
        digest = revision.factors.digest.hex()[:12]
        of = f"with {revision.factors.id} ({digest})"
        text += f"\n{counts['revised']} {of}: {name}" if counts["revised"] else f"\nnone {of}"
        for stream, factor in sorted(revision.kept):
            text += f"\nkept: {stream} has {factor}, which {revision.factors.id} does not have"
    if tally.given:
        names = ", ".join(sorted(tally.given))
        text += f"\ntaken as recorded, not computed: {names} (see --config)"
    return text


@contextmanager
def _new_file(path: Path) -> Iterator[TextIO]:
    """A file that is there as a whole or not at all; one that is there is never written over."""
    draft = path.with_name(path.name + ".part")
    try:
        if path.exists():
            raise FileExistsError(errno.EEXIST, "it is there, and a result is not written over")
        with draft.open("w", encoding="utf-8") as file:
            yield file
        path.hardlink_to(draft)
    except BrokenPipeError:
        raise  # whoever read standard output has left
    except OSError as error:
        raise StoreError("cloud.file", file=str(path), reason=error.strerror or str(error))
    finally:
        draft.unlink(missing_ok=True)


def _tell(journal: Journal, outcome: Outcome, json: bool) -> None:
    record = outcome.record
    if json:
        print(as_line(_object(journal, outcome)))
    elif outcome.status != "equal":
        start = _time(record.body[0])
        print(
            f"{journal.owner} record {record.seq} from {start}: {outcome.status.upper()}", end=""
        )
        print(f": {outcome.reason}" if outcome.reason else "")
        for item in outcome.differences:
            name = item.stream or "total"
            print(f"  {name} {item.field}: recorded {item.recorded}, computed {item.computed}")


def _object(journal: Journal, outcome: Outcome) -> dict[str, Any]:
    figures = []
    for stream, entry in zip(outcome.streams, outcome.record.body[2], strict=False):
        digests = [stream.factor_digest, *(rate.factor_digest for rate in stream.rates)]
        figures.append({"stream": stream.name, "emission_mg": entry[4], "digests": digests})
    return {
        **head_of(journal, outcome),
        "status": outcome.status,
        "reason": outcome.reason,
        "lost": outcome.lost,
        "given": outcome.given,
        "differences": [item._asdict() for item in outcome.differences],
        "figures": figures,
    }


def _time(wall_ms: int | None) -> str:
    if wall_ms is None:
        return "?"
    try:
        return datetime.fromtimestamp(wall_ms / 1000, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return f"{wall_ms} ms"  # a clock was broken


def gaps(
    store: StoreOption,
    gateway: GatewayOption = None,
    since: FromOption = "",
    until: ToOption = "",
    offset: Annotated[str, typer.Option(help="of the days from UTC, like +08:00")] = "+00:00",
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Expected, received, substituted and lost by device and day; what has not arrived; 0."""
    offset_ms = _offset_ms(offset)
    period = period_of(since, until)
    told = False
    with reading(store) as database:
        journals = find_journals(database, gateway)
        for journal in journals:
            for fields, line_of in _found(database, journal, period, offset_ms, json):
                owner = {"gateway": journal.owner, "epoch": journal.epoch.hex()}
                item = {"kind": fields.pop("kind"), **owner, **fields}
                print(as_line(item) if json else line_of(item))
                told = True
    if not told and not json:
        print("nothing of this period" if journals else "no journal in this store")
    return 0


def _found(
    database: Store, journal: Journal, period: Period, offset_ms: int, is_quiet: bool
) -> Iterator[tuple[dict[str, Any], Callable[[dict[str, Any]], str]]]:
    """What is to be told of a journal, each with what makes a line of it."""
    total = sum(one.last - one.first + 1 for one in read_segments(database, journal.number))
    for missing in find_missing(database, journal):
        yield {"kind": "missing", **missing._asdict()}, _missing_line
    for removed in find_removed(database, journal, period):
        yield {"kind": "removed", **removed._asdict()}, _removed_line
    with progress("records", total, is_quiet) as advance:
        days = Counts(database, journal, offset_ms).run(period, advance)
    for day in days:
        yield {"kind": "day", **_day_object(day, offset_ms)}, _day_line


def _offset_ms(text: str) -> int:
    try:
        moment = datetime.fromisoformat(f"2026-01-01T00:00:00{text}")
    except ValueError:
        moment = datetime.min
    found = moment.utcoffset()
    if found is None:
        raise UsageError("usage.value", option="--offset", found=text, expected="like +08:00")
    return found // timedelta(milliseconds=1)


def _missing_line(item: dict[str, Any]) -> str:
    span = f"records {item['first']} to {item['last']}"
    when = f"between {_time(item['since_ms'])} and {_time(item['until_ms'])}"
    return f"{item['gateway']} {item['epoch']}: {span} have not arrived, {when}; asked for again"


def _removed_line(item: dict[str, Any]) -> str:
    span = "without a number" if item["first"] is None else f"{item['first']} to {item['last']}"
    when = f"{_time(item['start_ms'])} to {_time(item['end_ms'])}"
    what = f"{item['records']} records {span} {item['reason']}"
    return f"{item['gateway']} {item['epoch']}: {what}, {when}"


def _day_object(day: Day, offset_ms: int) -> dict[str, Any]:
    local = datetime.fromtimestamp((day.start_ms + offset_ms) / 1000, UTC)
    qualities = _named(day.qualities)
    return {
        "device": day.device,
        "day": local.date().isoformat(),
        "expected": day.expected,
        "received": day.received,
        "good": day.good,
        "qualities": qualities,
        "substituted": day.substituted,
        "lost": day.absent,
        "reasons": day.reasons,
    }


def _named(qualities: dict[int, int]) -> dict[str, int]:
    """Counts by name; codes of a newer gateway have none yet."""
    found: dict[str, int] = {}
    for code, count in sorted(qualities.items()):
        name = NAMES[code] if 0 <= code < len(NAMES) else "unknown"
        found[name] = found.get(name, 0) + count
    return found


def _day_line(item: dict[str, Any]) -> str:
    text = f"{item['gateway']} {item['device']} {item['day']}: {item['received']} of"
    text += f" {item['expected']} polls, {item['good']} good"
    if item["substituted"]:
        text += f", {item['substituted']} intervals substituted"
    if item["lost"]:
        text += f", {item['lost']} lost ({', '.join(item['reasons'])})"
    return text
