"""Verbs for auditors: prove a store or an evidence file, write one."""

import gzip
import json as json_module
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO

import typer
from rich.progress import Progress

from cloud_sync.evidence import plan_span, write_evidence
from cloud_sync.json_text import as_json
from cloud_sync.keys import read_keys, read_secret
from cloud_sync.raw import ALWAYS, Period, find_journals
from cloud_sync.store.address import EXPECTED, open_store, parse_address
from cloud_sync.store.contract import Store
from cloud_sync.tongue import language
from cloud_sync.verifier import STATUSES, line_of
from cloud_sync.verifier import verify as verify_evidence
from cloud_sync.verify import Summary, verify_store
from edge.core.errors import StoreError, UsageError
from edge.core.journal.chain import HASH_BYTES, parse_key

#: Lines of evidence between two moves of the bar.
_LINES = 5_000

StoreOption = Annotated[str, typer.Option("--store", help=EXPECTED)]
GatewayOption = Annotated[str | None, typer.Option(help="only this one: its id, or tenant/id")]
FromOption = Annotated[str, typer.Option("--from", help="a time, like 2026-11-20T08:00:00+08:00")]
ToOption = Annotated[str, typer.Option("--to", help="a time; not included")]


def verify(
    store: StoreOption = "",
    gateway: GatewayOption = None,
    since: FromOption = "",
    until: ToOption = "",
    file: Annotated[
        Path | None, typer.Option("--evidence", help="an evidence file instead, .gz too")
    ] = None,
    key_file: Annotated[
        Path | None, typer.Option(help="device key that the evidence is sealed with")
    ] = None,
    head: Annotated[
        list[str] | None, typer.Option(help="SEQ:HASH that was noted elsewhere, for --evidence")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Walk every hash chain of a store or of an evidence file; exit status 65 if one breaks."""
    if (file is None) == (store == ""):
        raise _usage("--store", "both" if store else "nothing", "--store or --evidence")
    if file is not None:
        if gateway is not None or since or until:
            raise _usage("--evidence", str(file), "it alone: it is of one gateway and period")
        return _verify_file(file, key_file, [_anchor(text) for text in head or ()], json)
    if key_file is not None or head:
        option = "--key-file" if key_file else "--head"
        raise _usage(option, str(key_file or head), "--evidence with it: a store keeps no seals")
    summary = verify_store(parse_address(store), gateway, period_of(since, until))
    if gateway is not None and not summary.journals:
        raise _usage("--gateway", gateway, "a gateway of this store")
    _tell(summary, json)
    return 0 if summary.ok else 65


def _usage(option: str, found: str, expected: str) -> UsageError:
    return UsageError("usage.value", option=option, found=found, expected=expected)


def period_of(since: str, until: str) -> Period:
    """The period of two times in ISO 8601; without an offset they are UTC, empty is open.

    Raises UsageError "usage.value".
    """
    if not since and not until:
        return ALWAYS
    start_ms = instant_ms("--from", since) if since else None
    end_ms = instant_ms("--to", until) if until else None
    if start_ms is not None and end_ms is not None and end_ms <= start_ms:
        raise _usage("--to", until, "a time after --from")
    return Period(start_ms, end_ms)


def instant_ms(option: str, text: str) -> int:
    """The time that an option gives, in Unix milliseconds; raises UsageError "usage.value"."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise _usage(option, text, "a time like 2026-11-20T08:00:00+08:00")
    if instant.tzinfo is None:
        instant = instant.replace(tzinfo=UTC)
    return round(instant.timestamp() * 1000)


def _tell(summary: Summary, json: bool) -> None:
    for journal in summary.journals:
        if json:
            print(as_json(journal._asdict()))
            continue
        head = f"head {journal.head}, {journal.records} records, {journal.readings} readings"
        verdict = "ok" if journal.ok else f"BROKEN at record {journal.broken}: {journal.reason}"
        print(f"{journal.owner} {journal.epoch}: {head}, {journal.missing} missing: {verdict}")
    if not summary.journals and not json:
        print("no journal in this store")


def _anchor(text: str) -> tuple[int, bytes]:
    seq, _, digest = text.partition(":")
    try:
        found = (int(seq), bytes.fromhex(digest))
    except ValueError:
        found = (-1, b"")
    if len(found[1]) != HASH_BYTES or found[0] < 0:
        raise _usage("--head", text, "SEQ:HASH, 64 hexadecimal digits")
    return found


def _verify_file(
    path: Path, key_file: Path | None, anchors: list[tuple[int, bytes]], json: bool
) -> int:
    key = parse_key(read_secret(key_file), str(key_file)) if key_file else None
    status = 0
    try:
        with _opened(path) as stream, progress("bytes", path.stat().st_size, json) as advance:
            counted = _Counted(stream, advance)
            for found in verify_evidence(counted, key, anchors, language()):
                status = max(status, STATUSES[found["status"]])
                text = json_module.dumps(found, ensure_ascii=False) if json else line_of(found)
                print(text)
    except (OSError, EOFError, zlib.error) as error:
        raise StoreError("cloud.file", file=str(path), reason=str(error)) from error
    return status


def _opened(path: Path) -> Any:
    return gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")


class _Counted:
    """Lines of a file that tell how far into it they are, now and then."""

    def __init__(self, stream: Any, advance: Callable[[int], None]) -> None:
        self._stream, self._advance = stream, advance
        self._at = self._lines = 0

    def readline(self, limit: int) -> bytes:
        """The next line, as the file gives it."""
        self._lines += 1
        if self._lines % _LINES == 0:
            # Of a compressed file, what counts is how much of it has been read.
            raw = getattr(self._stream, "fileobj", None) or self._stream
            at = raw.tell()
            self._advance(at - self._at)
            self._at = at
        line: bytes = self._stream.readline(limit)
        return line


@contextmanager
def reading(url: str) -> Iterator[Store]:
    """A store that is only read, at one moment: what comes in meanwhile is not seen."""
    with closing(open_store(parse_address(url), read_only=True)) as store:
        store.query("BEGIN")
        try:
            yield store
        finally:
            store.query("ROLLBACK")


@contextmanager
def progress(title: str, total: int, is_quiet: bool) -> Iterator[Callable[[int], None]]:
    """A bar on standard error, on a terminal; the function takes how much more is done."""
    from rich.console import Console

    console = Console(stderr=True)
    hidden = is_quiet or not console.is_terminal
    # Results on standard output stay there, and do not move to where the bar is.
    bar = Progress(console=console, transient=True, disable=hidden, redirect_stdout=False)
    with bar:
        task = bar.add_task(title, total=total)
        yield lambda count: bar.update(task, advance=count)


def evidence(
    store: StoreOption,
    gateway: Annotated[str, typer.Option(help="its id, or tenant/id")],
    out: Annotated[Path, typer.Option(help="file to write; compressed when it ends in .gz")],
    since: FromOption = "",
    until: ToOption = "",
    keys: Annotated[
        Path | None, typer.Option(help="the receiver's key file: seals with the device key")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Write the raw records of a gateway with their hashes, for an auditor to prove offline."""
    known = read_keys(keys) if keys else None
    with reading(store) as database:
        journals = find_journals(database, gateway)
        if len({one.owner for one in journals}) > 1:
            raise _usage("--gateway", gateway, "one of several: tenant/id")
        key = known.find(journals[0].tenant, journals[0].gateway) if known else None
        if known is not None and key is None:
            raise _usage("--keys", str(keys), f"a key file that has {journals[0].owner}")
        period = period_of(since, until)
        spans = [(one, plan_span(database, one, period)) for one in journals]
        parts = [(one, span, key) for one, span in spans if span is not None]
        if not parts:
            raise _usage("--from", since or "open", "a period with records")
        total = sum(span[1] - span[0] + 1 for _, span, _ in parts)
        with progress("evidence", total, json) as advance, _written(out) as stream:
            count = write_evidence(database, parts, stream, advance)
    result = {"file": str(out), "parts": len(parts), "records": count, "sealed": key is not None}
    if json:
        print(as_json(result))
    else:
        sealed = "sealed with the device key" if key else "not sealed"
        print(f"{out}: {count} records of {len(parts)} journals, {sealed}")
    return 0


@contextmanager
def _written(path: Path) -> Iterator[BinaryIO]:
    """A file that is there as a whole or not at all."""
    draft = path.with_name(path.name + ".part")
    try:
        with draft.open("wb") as file:
            if path.suffix == ".gz":
                with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
                    yield packed  # type: ignore[misc]
            else:
                yield file
        draft.replace(path)
    except OSError as error:
        raise StoreError("cloud.file", file=str(path), reason=error.strerror or str(error))
    finally:
        with suppress(OSError):  # a folder that nothing can be written to
            draft.unlink(missing_ok=True)
