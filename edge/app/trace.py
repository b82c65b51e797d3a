"""Reading traces of a bus: what was heard, when, one JSON object a line.

    {"trace": 1, "baud": 9600, "format": "8N1"}                  optional first line
    {"t_us": 0, "dir": "request", "hex": "01040000000271cb"}
    {"t_us": 17300, "dir": "reply", "hex": "010404436633341b38"}

`t_us`: microseconds since the trace began at which the frame's first character began.
`hex`: the bytes as they were heard, good or not. A reply belongs to the request before it; a
request may have no reply, or several. Readers ignore keys that they do not know.
"""

import json
from collections import namedtuple

from edge.core.errors import ConfigError
from edge.core.field.trace import REPLY, REQUEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_DIRECTIONS = (REQUEST, REPLY)
_VERSION = 1


#: The line settings a trace was taken at.
TraceHead = namedtuple("TraceHead", ("baud", "format"))

#: Of a trace without a first line that says so.
USUAL_HEAD = TraceHead(9600, "8N1")

#: One frame of a trace; direction: REQUEST or REPLY; data: bytes.
Heard = namedtuple("Heard", ("t_us", "direction", "data"))


def parse_trace(text: str, file: str) -> tuple[TraceHead, list[Heard]]:
    """The frames of a trace in the order of the file; times never go back.

    Raises ConfigError config.value naming `file` and the line.
    """
    head = USUAL_HEAD
    frames: list[Heard] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        row = _parse_row(line, file, number)
        if "trace" in row and not frames:
            head = _parse_head(row, file, number)
            continue
        heard = _parse_heard(row, file, number)
        if frames and heard.t_us < frames[-1].t_us:
            raise _refuse(file, number, str(heard.t_us), "a t_us not below the last")
        frames.append(heard)
    return head, frames


def read_trace(path: "Path") -> tuple[TraceHead, list[Heard]]:
    """parse_trace of the file `path`; ConfigError config.file if it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError("config.file", file=str(path), reason=reason)
    return parse_trace(text, str(path))


def _refuse(file: str, number: int, found: str, expected: str) -> ConfigError:
    return ConfigError(
        "config.value", file=file, key=f"line {number}", found=found[:60], expected=expected
    )


def _parse_row(line: str, file: str, number: int) -> dict[str, object]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict):
        raise _refuse(file, number, line, "one JSON object")
    return row


def _parse_head(row: dict[str, object], file: str, number: int) -> TraceHead:
    baud, line_format = row.get("baud", USUAL_HEAD.baud), row.get("format", USUAL_HEAD.format)
    if row["trace"] != _VERSION:
        raise _refuse(file, number, str(row["trace"]), f"trace version {_VERSION}")
    if not isinstance(baud, int) or isinstance(baud, bool) or not 300 <= baud <= 921_600:
        raise _refuse(file, number, str(baud), "a baud rate from 300 to 921600")
    if line_format not in ("8N1", "8N2", "8E1", "8E2", "8O1", "8O2"):
        raise _refuse(file, number, str(line_format), "a format such as 8N1")
    return TraceHead(baud, str(line_format))


def _parse_heard(row: dict[str, object], file: str, number: int) -> Heard:
    t_us, direction, text = row.get("t_us"), row.get("dir"), row.get("hex")
    if not isinstance(t_us, int) or isinstance(t_us, bool) or t_us < 0:
        raise _refuse(file, number, str(t_us), "t_us, a whole number of microseconds")
    if direction not in _DIRECTIONS:
        raise _refuse(file, number, str(direction), 'dir, "request" or "reply"')
    try:
        data = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        data = b""
    if not data:
        raise _refuse(file, number, str(text), "hex, at least one byte in hexadecimal digits")
    return Heard(t_us, str(direction), data)
