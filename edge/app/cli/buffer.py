"""`carbontally buffer`: look into the journal, prove it, take it away. It only reads.

A gateway may be running meanwhile; what is shown is the journal at one moment.
"""

import json as json_module
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer
from rich.console import Console
from rich.table import Table

from edge.app.cli.writing import written
from edge.app.config import Settings
from edge.app.service import read_settings
from edge.core.errors import StoreError, UsageError
from edge.core.journal.record import KIND_NAMES, REASONS, decode_record
from edge.core.schema import nearest
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, encode_rows
from edge.ports.linux import files
from edge.ports.linux.journal_reader import JournalReader, open_reader
from edge.ports.linux.removal import Remover

ACTIONS = ("stats", "verify", "export", "thin")

STEPS = ("acked", "minute", "quarter", "polls", "rest")

#: Records per look.
CHUNK = 1_000


def buffer(
    action: Annotated[str, typer.Argument(help="stats, verify, export or thin")],
    config: Annotated[Path, typer.Option("-c", "--config", help="gateway.toml")],
    first: Annotated[
        int | None, typer.Option(min=0, help="export: from this seq; default: not acked")
    ] = None,
    last: Annotated[int | None, typer.Option(min=0, help="export: up to this seq")] = None,
    out: Annotated[Path | None, typer.Option("--out", help="export: a file or a folder")] = None,
    payloads: Annotated[
        bool, typer.Option("--payloads", help="export: sealed batches, a file each, into --out")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="thin: say what each step would give")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Show, prove or export the journal of a gateway, or say what thinning would give."""
    if action not in ACTIONS:
        expected = nearest(action, list(ACTIONS)) or "one of " + ", ".join(ACTIONS)
        raise UsageError("usage.value", option="ACTION", found=action, expected=expected)
    if action == "thin" and not dry_run:
        expected = "--dry-run: the gateway thins by itself when its space runs out"
        raise UsageError("usage.value", option="thin", found="nothing", expected=expected)
    settings, _ = read_settings(config)
    path = config.resolve().parent / settings.journal
    reader = open_reader(path)
    try:
        if action == "stats":
            _show(report_stats(reader, path), json)
        elif action == "verify":
            _show(report_verify(reader), json)
        elif action == "thin":
            _show(report_thin(reader), json)
        else:
            span = _span(reader, first, last)
            _export(reader, settings, config, span, out, payloads)
    finally:
        reader.close()
    return 0


def _show(report: dict[str, Any], json: bool) -> None:
    if json:
        print(json_module.dumps(report))
        return
    table = Table("what", "value")
    for name, value in report.items():
        if name != "event":
            table.add_row(name, _text(value))
    Console(highlight=False).print(table)


def _text(value: object) -> str:
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_text(item)}" for name, item in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _tombstones(reader: JournalReader) -> Iterator[Any]:
    """Those of the ranges that are removed, ascending."""
    at = 0
    while (gap := reader.gap_from(at)) is not None:
        yield reader.explained(gap)
        at = gap.last + 1


def report_stats(reader: JournalReader, path: Path) -> dict[str, Any]:
    """The journal in figures: the `--json` contract of `buffer stats`."""
    rows = dict(reader.file.query("SELECT kind, count(*) FROM journal GROUP BY kind"))
    removed: dict[str, int] = {}
    for tomb in _tombstones(reader):
        removed[tomb.reason] = removed.get(tomb.reason, 0) + tomb.count
    oldest = reader.read(reader.acked_seq + 1, reader.acked_seq + 1)
    oldest_ms = decode_record(oldest[0][0]).wall_ms if oldest else None
    beside = {
        name: _size(path.with_name(path.name + ending))
        for name, ending in (("file", ""), ("log", "-wal"), ("ballast", ".ballast"))
    }
    return {
        "event": "buffer",
        "journal": str(path),
        "gateway": reader.state.gateway,
        "epoch": reader.epoch.hex(),
        "boot": reader.boot,
        "head_seq": reader.next_seq - 1,
        "acked_seq": reader.acked_seq,
        "depth": reader.next_seq - 1 - reader.acked_seq,
        "oldest_unacked_ms": oldest_ms,
        "oldest_unacked_age_ms": (
            None if oldest_ms is None else time.time_ns() // 1_000_000 - oldest_ms
        ),
        "records": {KIND_NAMES[kind]: rows[kind] for kind in sorted(rows)},
        "removed": {reason: removed[reason] for reason in sorted(removed)},
        "bytes": {**beside, "used": reader.file.used_bytes()},
        "aside": sorted(item.name for item in path.parent.glob(path.name + ".aside-*")),
    }


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def report_verify(reader: JournalReader) -> dict[str, Any]:
    """Walk the chain from the first record to the head.

    Raises StoreError "store.corrupt" at the first record that cannot be proved.
    """
    records = 0
    for first in range(0, reader.next_seq, CHUNK):
        for data, _ in reader.read(first, first + CHUNK - 1):
            decode_record(data)
            records += 1
    removed = sum(tomb.last - tomb.first + 1 for tomb in _tombstones(reader))
    if records + removed != reader.next_seq:
        raise StoreError("store.corrupt", file=str(reader.file.path), seq=records + removed)
    return {
        "event": "verify",
        "ok": True,
        "records": records,
        "removed": removed,
        "head_seq": reader.next_seq - 1,
        "head_hash": reader.head.hex(),
    }


def report_thin(reader: JournalReader) -> dict[str, Any]:
    """What each step of retention would give, all of it taken."""
    remover = Remover(reader, None, 0)
    steps = {}
    for step, name in enumerate(STEPS):
        gone, carried, ranges = remover.project(step)
        steps[name] = {
            "records_gone": gone,
            "records_carried": carried,
            "tombstones": ranges,
            "reason": REASONS[step],
        }
    return {"event": "thin", "used_bytes": reader.file.used_bytes(), "steps": steps}


def _span(reader: JournalReader, first: int | None, last: int | None) -> tuple[int, int]:
    """First and last seq to export. That nothing waits is no mistake; to ask for nothing is."""
    head = reader.next_seq - 1
    if first is not None and last is not None and first > last:
        raise _wrong("--first", first, f"at most {last}, which --last names")
    if first is not None and first > head:
        raise _wrong("--first", first, f"at most {head}, the head")
    return reader.acked_seq + 1 if first is None else first, head if last is None else min(
        last, head
    )


def _wrong(option: str, found: object, expected: str) -> UsageError:
    return UsageError("usage.value", option=option, found=str(found), expected=expected)


def _export(
    reader: JournalReader,
    settings: Settings,
    config: Path,
    span: tuple[int, int],
    out: Path | None,
    payloads: bool,
) -> None:
    if payloads:
        if out is None:
            raise _wrong("--out", out, "a folder for the batches")
        key = files.read_key(config.resolve().parent / settings.key_file)
        _make_folder(out)
        with written(out):
            count = sum(1 for _ in _write_payloads(reader, *span, key, out))
        print(f"{count} batches in {out}", file=sys.stderr)
    elif out is None:
        _write_lines(reader, *span, sys.stdout)
    else:
        with written(out):
            _write_file(reader, *span, out)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = error.strerror or str(error)
        raise _wrong("--out", folder, f"a folder that can be made ({reason})") from error


def _new_file(path: Path) -> TextIO:
    try:
        return path.open("x", encoding="utf-8")
    except OSError as error:
        reason = error.strerror or str(error)
        raise _wrong("--out", path, f"a file that can be made ({reason})") from error


def _write_file(reader: JournalReader, first: int, last: int, path: Path) -> None:
    """The lines as a new file; none where they find no room."""
    stream = _new_file(path)
    try:
        with stream:
            _write_lines(reader, first, last, stream)
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _write_lines(reader: JournalReader, first: int, last: int, stream: TextIO) -> None:
    """One JSON object a record; bytes are hexadecimal text."""
    for at in range(first, last + 1, CHUNK):
        for data, digest in reader.read(at, min(last, at + CHUNK - 1)):
            record = decode_record(data)
            fields = {**record._asdict(), "kind": KIND_NAMES[record.kind], "hash": digest}
            stream.write(json_module.dumps(fields, default=bytes.hex) + "\n")


def _write_payloads(
    reader: JournalReader, first: int, last: int, key: bytes, folder: Path
) -> Iterator[Path]:
    """What the uploader would publish, tombstones for what is gone included."""
    while first <= last:
        gap = reader.gap_from(first)
        if gap is not None and gap.first <= first:
            span, following = (gap.tombstone, gap.tombstone), gap.last + 1
        else:
            end = min(last, first + CHUNK - 1) if gap is None else min(last, gap.first - 1)
            span = (first, min(end, first + CHUNK - 1))
            following = span[1] + 1
        payload, sent = _seal(reader, *span, key)
        path = folder / f"{span[0]:012}-{sent:012}.batch"
        path.write_bytes(payload)
        yield path
        first = following if sent == span[1] else sent + 1


def _seal(reader: JournalReader, first: int, last: int, key: bytes) -> tuple[bytearray, int]:
    """(payload, its last seq) of as many records as fit one."""
    before = reader.hash_at(first - 1)
    rows = reader.read(first, last)
    if before is None:
        raise reader.damage(first)
    while True:
        payload = encode_rows(reader.state.gateway, reader.epoch, before, rows, key)
        if len(payload) <= PAYLOAD_MAX_BYTES or len(rows) == 1:
            return payload, first + len(rows) - 1
        rows = rows[: len(rows) // 2]
