"""`carbontally status`: how a gateway is, from its status port or else from its journal."""

import http.client
import json as json_module
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from edge import VERSION
from edge.app.cli.bus import language
from edge.app.cli.status_text import describe_report
from edge.app.config import Settings
from edge.app.report import buffer_of, room_of
from edge.app.service import read_settings
from edge.core.journal.clock import FLOOR_MS
from edge.core.journal.clock import NAMES as CLOCKS
from edge.core.journal.record import decode_record
from edge.ports.linux.journal_reader import open_reader
from edge.ports.linux.journal_space import read_space

HOST = "127.0.0.1"
TIMEOUT_S = 4.0

#: A report is a few kilobytes; whatever sends more is no gateway.
REPORT_MAX_BYTES = 4_000_000

#: A boot that no record has: ages are told by wall time.
NO_BOOT = -1


def status(
    config: Annotated[Path, typer.Option("-c", "--config", help="gateway.toml")],
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Show what waits for the cloud, room, losses, clock and stations of a gateway."""
    settings, _ = read_settings(config)
    report, reason = None, "no_port"
    if settings.status_port is not None:
        report, reason = fetch_report(settings.status_port, settings.gateway)
    if report is None:
        report = read_report(settings, config.resolve().parent / settings.journal, reason)
    if json:
        print(json_module.dumps(report))
    else:
        print("\n".join(describe_report(report, language())))
    return 0


def fetch_report(port: int, gateway: str) -> tuple[dict[str, Any] | None, str]:
    """Ask a running gateway: (its report, "") or (None, why not)."""
    connection = http.client.HTTPConnection(HOST, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/status")
        found = json_module.loads(connection.getresponse().read(REPORT_MAX_BYTES))
    except OSError:
        return None, "no_answer"
    except (http.client.HTTPException, ValueError):
        return None, "stranger"
    finally:
        connection.close()
    if not isinstance(found, dict) or found.get("gateway") != gateway:
        return None, "stranger"
    return found, ""


def read_report(settings: Settings, path: Path, reason: str) -> dict[str, Any]:
    """What the journal's file says; a gateway may be using it meanwhile. Raises StoreError."""
    wall_ms = time.time_ns() // 1_000_000
    reader = open_reader(path)
    try:
        newest = reader.read(reader.next_seq - 1, reader.next_seq - 1)
        record = decode_record(newest[0][0]) if newest else None
        now = (NO_BOOT, 0, wall_ms, wall_ms >= FLOOR_MS)
        space = read_space(reader, settings.quota_bytes)
        buffer = {**buffer_of(reader, now), **room_of(reader, space)}
        return {
            "source": "journal",
            "reason": reason,
            "gateway": settings.gateway,
            "version": VERSION,
            "wall_ms": wall_ms,
            "clock": None if record is None else CLOCKS[record.clock],
            "boot": reader.boot,
            "epoch": reader.epoch.hex(),
            "newest_age_ms": None if record is None else max(0, wall_ms - record.wall_ms),
            "journal": {
                "head_seq": reader.next_seq - 1,
                "acked_seq": reader.acked_seq,
                "depth": reader.next_seq - 1 - reader.acked_seq,
            },
            "buffer": {**buffer, "last_ack_age_ms": None},
        }
    finally:
        reader.close()
