"""`carbontally check`: everything around a gateway that would keep it from its work.

It writes nothing, opens no serial port and connects to the broker under a name of its own, so
that it can run beside the gateway. Run it as the user that the gateway runs as.
"""

from collections.abc import Callable, Iterator
from json import dumps
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer

from edge.app.cli.bus import JsonOption, language
from edge.app.cli.check_broker import broker_findings
from edge.app.cli.status import fetch_report
from edge.app.config import Settings
from edge.app.service import read_settings
from edge.core.errors import BusError, ConfigError, DataError, StoreError, TallyError
from edge.core.errors.table import describe, exit_status
from edge.core.journal.clock import FLOOR_MS, ClockQuality
from edge.core.journal.clock import NAMES as CLOCKS
from edge.ports.linux import files
from edge.ports.linux.clock import LinuxClock
from edge.ports.linux.head_mark import HeadMark
from edge.ports.linux.journal_reader import open_reader
from edge.ports.linux.journal_space import free_bytes, may_write, read_space
from edge.ports.linux.serial_place import why_unusable

#: Less room than this is worth a word.
ROOM_HOURS = 48
ROOM_BYTES = 64_000_000

#: What is said of what is well: name -> English, Chinese.
WELL = {
    "config": (
        "{devices} devices, {points} points, {streams} streams, factors {factors}",
        "{devices} 台设备，{points} 个测点，{streams} 个流，因子集 {factors}",
    ),
    "key": ("{file} is a key, and only its owner may read it", "{file} 是密钥，仅所有者可读"),
    "password": ("only its owner may read {file}", "仅所有者可读 {file}"),
    "journal": ("{file} opens, its newest records are proved", "{file} 可打开，最新记录已验证"),
    "journal_new": ("{file} is made at the first start", "{file} 将在首次启动时创建"),
    "space": ("{free} bytes free, room for {hours} hours", "剩余 {free} 字节，可用 {hours} 小时"),
    "clock": ("synced", "已同步"),
    "port": ("{port} is there", "{port} 存在"),
    "broker": ("{server} lets us in", "{server} 接受连接"),
    "certificate": ("{subject}: {days} days more", "{subject}：还有 {days} 天"),
    "gateway": ("running, start {boot}", "运行中，第 {boot} 次启动"),
    "gateway_off": ("not running", "未运行"),
}


class Finding(NamedTuple):
    """One line. about: of what, error: what is wrong, None when nothing is; fields: for WELL."""

    about: str
    error: TallyError | None
    fields: dict[str, Any] = {}
    well: str = ""


def check(
    config: Annotated[Path, typer.Option("-c", "--config", help="gateway.toml")],
    json: JsonOption = False,
) -> int:
    """Look at configuration, key, journal, disk, clock, ports, broker and certificates."""
    worst = 0
    tongue = language()
    for finding in find_all(config):
        if finding.error is not None:
            worst = max(worst, exit_status(finding.error.code))
        print(_line(finding, tongue, json), flush=True)
    if json:
        print(dumps({"event": "done", "status": worst}))
    return worst


def _line(finding: Finding, tongue: str, as_json: bool) -> str:
    error = finding.error
    if error is None:
        text = WELL[finding.well or finding.about][tongue == "zh"].format(**finding.fields)
        following = ""
    else:
        text, following = describe(error, tongue)
    code = None if error is None else error.code
    if as_json:
        fact = {"event": "check", "about": finding.about, "ok": error is None, "code": code}
        return dumps({**fact, "text": text, "next": following}, ensure_ascii=False)
    if error is None:
        return f"ok    {finding.about}: {text}"
    return f"{'错误' if tongue == 'zh' else 'WRONG'} {finding.about}: {text} [{code}]; {following}"


def find_all(config: Path) -> Iterator[Finding]:
    """Every finding in turn; without a usable configuration only that one."""
    try:
        settings, _ = read_settings(config)
    except TallyError as refused:
        yield Finding("config", refused)
        return
    folder = config.resolve().parent
    yield _settings(settings)
    yield _tried("key", folder / settings.key_file, files.read_key)
    password = None
    if settings.password_file is not None:
        path = folder / settings.password_file
        yield (found := _tried("password", path, files.read_password))
        password = None if found.error is not None else files.read_password(path)
    yield from _journal(folder / settings.journal, settings.quota_bytes)
    yield _clock()
    for bus in settings.buses:
        port = str(folder / bus.port)
        reason = why_unusable(port)
        error = None if reason is None else BusError("bus.port", port=port, reason=reason)
        yield Finding("port", error, {"port": port})
    for about, wrong, fields in broker_findings(settings, folder, password):
        yield Finding(about, wrong, fields)
    if settings.status_port is not None:
        yield _gateway(settings, settings.status_port)


def _settings(settings: Settings) -> Finding:
    fields = {
        "devices": len(settings.devices),
        "points": sum(len(device.points) for device in settings.devices),
        "streams": len(settings.streams),
        "factors": ", ".join(found.id for found in settings.factor_sets),
    }
    return Finding("config", None, fields)


def _tried(about: str, path: Path, read: Callable[[Path], object]) -> Finding:
    try:
        read(path)
    except ConfigError as error:
        return Finding(about, error)
    return Finding(about, None, {"file": path})


def _journal(path: Path, quota_bytes: int | None) -> Iterator[Finding]:
    """The file, its rights, its newest records; then the room it has."""
    hours: int | str = "?"
    free = free_bytes(path.parent)
    error: StoreError | None = None
    if free is None or not may_write(path):
        error = StoreError("store.open", file=str(path), reason="no permission to write")
    elif path.exists():
        try:
            hours = _prove(path, quota_bytes)
        except StoreError as found:
            error = found
        if error is None and path.stat().st_mode & 0o077:
            error = StoreError("store.exposed", file=str(path))
    yield Finding("journal", error, {"file": path}, "journal" if path.exists() else "journal_new")
    if free is None:
        return
    scarce = free < ROOM_BYTES or (isinstance(hours, int) and hours < ROOM_HOURS)
    fields = {"file": str(path), "hours": hours, "free": free}
    yield Finding("space", StoreError("store.space", **fields) if scarce else None, fields)


def _prove(path: Path, quota_bytes: int | None) -> int | str:
    """Read the newest records; return the hours of room left. Raises StoreError."""
    # Before the journal: a gateway that runs moves both on, the mark last.
    mark = HeadMark(path.with_name(path.name + ".head")).read()
    reader = open_reader(path)
    try:
        if mark and (mark.epoch != reader.epoch or mark.seq >= reader.next_seq):
            raise reader.damage(mark.seq)
        hours = read_space(reader, quota_bytes)["hours_left"]
    finally:
        reader.close()
    return hours if isinstance(hours, int) else "?"


def _clock() -> Finding:
    clock = LinuxClock()
    quality = ClockQuality.UNSET if clock.wall_ms() < FLOOR_MS else clock.quality()
    if quality == ClockQuality.SYNCED:
        return Finding("clock", None)
    return Finding("clock", DataError("data.clock", state=CLOCKS[quality]))


def _gateway(settings: Settings, port: int) -> Finding:
    report, reason = fetch_report(port, settings.gateway)
    if report is not None:
        return Finding("gateway", None, {"boot": report["boot"]})
    if reason == "no_answer":
        return Finding("gateway", None, {}, "gateway_off")
    found = f"{port}, which another program uses"
    where = {"file": settings.file, "key": "status.port", "found": found}
    return Finding("gateway", ConfigError("config.value", **where, expected="a port of its own"))
