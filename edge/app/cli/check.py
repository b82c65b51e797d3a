"""`carbontally check` and `doctor -c`: what around a gateway would keep it from its work.

It writes nothing, opens no serial port and connects to the broker under a name of its own, so
that it can run beside the gateway. Run it as the user that the gateway runs as.
"""

from collections.abc import Callable, Iterator
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from edge.app.cli.bus import JsonOption, language
from edge.app.cli.check_broker import broker_findings
from edge.app.cli.check_finding import Finding
from edge.app.cli.check_journal import journal_findings
from edge.app.cli.status import fetch_report
from edge.app.config import Settings
from edge.app.service import read_settings
from edge.core.errors import BusError, ConfigError, DataError, TallyError
from edge.core.errors.table import describe, exit_status
from edge.core.journal.clock import CEILING_MS, FLOOR_MS, ClockQuality
from edge.core.journal.clock import NAMES as CLOCKS
from edge.ports.linux import files
from edge.ports.linux.clock import LinuxClock
from edge.ports.linux.serial_place import why_unusable

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
    "space_new": (
        "{free} bytes free; for how long, the first day tells",
        "剩余 {free} 字节；可用多久，运行一天后可知",
    ),
    "reserve": ("{bytes} bytes are held back for a full disk", "已为磁盘写满预留 {bytes} 字节"),
    "log": ("{bytes} bytes in the write-ahead log", "预写日志 {bytes} 字节"),
    "clock": ("synced", "已同步"),
    "port": ("{port} is there", "{port} 存在"),
    "broker": ("{server} lets us in and subscribe", "{server} 接受连接和订阅"),
    "certificate": ("{subject}: {days} days more", "{subject}：还有 {days} 天"),
    "gateway": ("running, start {boot}", "运行中，第 {boot} 次启动"),
    "gateway_off": ("not running", "未运行"),
}


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
    yield from journal_findings(folder / settings.journal, settings.quota_bytes)
    yield _clock()
    for bus in settings.buses:
        port = str(folder / bus.port)
        reason = why_unusable(port)
        error = None if reason is None else BusError("bus.port", port=port, reason=reason)
        yield Finding("port", error, {"port": port})
    yield from broker_findings(settings, folder, password)
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


def _clock() -> Finding:
    clock = LinuxClock()
    is_possible = FLOOR_MS <= clock.wall_ms() < CEILING_MS
    quality = clock.quality() if is_possible else ClockQuality.UNSET
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
