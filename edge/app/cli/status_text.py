"""A report in words, English and Chinese."""

from typing import Any

from edge.core.errors.table import printable

_WORDS: dict[str, dict[str, str]] = {
    "en": {
        "running": "gateway {gateway}: running, version {version}, start {boot}",
        "journal": "gateway {gateway}: read from its journal, {reason}; newest record {age} old",
        "no_port": "as no [status] port is configured",
        "no_answer": "as nothing answers on its status port",
        "stranger": "as another program answers on its status port",
        "clock": "clock     {clock}",
        "unset": "not set: no interval closes",
        "held": "set, but not synchronized",
        "synced": "synchronized",
        "buffer": "buffer    {records} records to send, oldest {oldest} old; last ack {ack} ago",
        "room": "room      {hours} h left at {rate}/h; journal {used}, {free} free",
        "losses": "losses    {lost} records lost, {thinned} thinned, {released} released",
        "uplink": "uplink    {state}, {sent} batches sent, {error}",
        "station": "station   {station} {device}: {state}, {polls} polls, {failures} failed",
        "good": "good {age} ago",
        "dead": "silent, only probed",
        "never": "never read",
        "fine": "no error",
    },
    "zh": {
        "running": "网关 {gateway}：运行中，版本 {version}，第 {boot} 次启动",
        "journal": "网关 {gateway}：读自日志库，{reason}；最新记录 {age} 前",
        "no_port": "因为未配置 [status] port",
        "no_answer": "因为状态端口无应答",
        "stranger": "因为状态端口上应答的是其他程序",
        "clock": "时钟      {clock}",
        "unset": "未设置：不会关闭任何区间",
        "held": "已设置，但未同步",
        "synced": "已同步",
        "buffer": "缓冲      待发送 {records} 条，最旧 {oldest}；上次确认在 {ack} 前",
        "room": "空间      按 {rate}/h 还可用 {hours} h；日志库 {used}，剩余 {free}",
        "losses": "损失      丢失 {lost} 条，抽稀 {thinned} 条，确认后释放 {released} 条",
        "uplink": "上行      {state}，已发送 {sent} 批，{error}",
        "station": "站        {station} {device}：{state}，轮询 {polls} 次，失败 {failures} 次",
        "good": "{age} 前正常",
        "dead": "无应答，仅探测",
        "never": "从未读到",
        "fine": "无错误",
    },
}

UNKNOWN = "?"


def describe_report(report: dict[str, Any], tongue: str) -> list[str]:
    """The lines of `carbontally status`; tongue: "en" or "zh"."""
    words = _WORDS[tongue]
    buffer = report["buffer"]
    if report["source"] == "gateway":
        lines = [_filled(words["running"], report)]
    else:
        fields = {**report, "reason": words[report["reason"]]}
        lines = [_filled(words["journal"], {**fields, "age": span(report["newest_age_ms"])})]
    lines.append(words["clock"].format(clock=words.get(report["clock"] or "", UNKNOWN)))
    lines.append(
        words["buffer"].format(
            records=_known(buffer["records"]),
            oldest=span(buffer["oldest_age_ms"]) if buffer["records"] else "0 s",
            ack=span(buffer["last_ack_age_ms"]),
        )
    )
    lines.append(
        words["room"].format(
            hours=_known(buffer.get("hours_left")),
            rate=size(buffer.get("bytes_per_hour")),
            used=size(buffer.get("journal_bytes")),
            free=size(buffer.get("free_bytes")),
        )
    )
    gone = {how: _known(buffer.get(how + "_records")) for how in ("lost", "thinned", "released")}
    lines.append(words["losses"].format(**gone))
    if report["source"] == "gateway":
        uplink = report["uplink"]
        fields = {"state": uplink["state"], "sent": uplink["batches_sent"]}
        lines.append(
            _filled(words["uplink"], {**fields, "error": uplink["error"] or words["fine"]})
        )
        lines += [_station(device, words) for device in report["devices"]]
    return lines


def _station(device: dict[str, Any], words: dict[str, str]) -> str:
    state = words["good"].format(age=span(device["age_ms"]))
    if device["age_ms"] is None:
        state = words["never"]
    if device["dead"]:
        state = words["dead"]
    elif device["error"] is not None:
        state += " (" + device["error"] + ")"
    return _filled(words["station"], {**device, "device": device["name"], "state": state})


def _filled(text: str, fields: dict[str, Any]) -> str:
    return text.format(**{name: printable(str(value)) for name, value in fields.items()})


def _known(value: object) -> str:
    return UNKNOWN if value is None else str(value)


def span(milliseconds: int | None) -> str:
    """A time for people: in the largest unit that leaves two digits."""
    if milliseconds is None:
        return UNKNOWN
    for unit, length_ms in (("d", 86_400_000), ("h", 3_600_000), ("min", 60_000), ("s", 1_000)):
        if milliseconds >= 2 * length_ms or unit == "s":
            return f"{milliseconds // length_ms} {unit}"
    return UNKNOWN


def size(count: int | None) -> str:
    """Bytes for people, in powers of 1000."""
    if count is None:
        return UNKNOWN
    for unit, length in (("TB", 10**12), ("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= 2 * length:
            return f"{count // length} {unit}"
    return f"{count} B"
