"""One table: error code -> exit status, English, Chinese, next action in both.

Exit statuses follow sysexits where one fits: 2 usage, 65 data, 69 cloud unreachable, 74 local
storage, 75 temporary bus failure, 76 device exception, 78 configuration; 1 is a bug, 80 a port.
"""

from edge.core.errors import TallyError
from edge.core.errors.rows import api, bus, config, data, demo, hil, store, sync

LANGUAGES = ("en", "zh")

#: code -> (exit status, English, Chinese, next action in English, next action in Chinese)
TABLE: dict[str, tuple[int, str, str, str, str]] = {}
for _area in (bus, config, data, demo, store, sync, api, hil):
    TABLE.update(_area.ROWS)

#: code -> English, Chinese, where no record is known by number: its seq is -1
UNNUMBERED = {
    "data.record": ("the message cannot be read: {reason}", "消息无法解读：{reason}"),
}


def exit_status(code: str) -> int:
    """The process exit status of an error code; 1 for a code that is not in the table."""
    return TABLE[code][0] if code in TABLE else 1


def describe(error: TallyError, language: str = "en") -> tuple[str, str]:
    """Return (what happened, what to do next) in `language`, "en" or "zh"."""
    if error.code not in TABLE:
        return error.code, ""
    _, en, zh, next_en, next_zh = TABLE[error.code]
    if error.code in UNNUMBERED and error.fields.get("seq") == -1:
        en, zh = UNNUMBERED[error.code]
    if language == "zh":
        return _fill(zh, error.fields), _fill(next_zh, error.fields)
    return _fill(en, error.fields), _fill(next_en, error.fields)


def _fill(text: str, fields: dict[str, object]) -> str:
    """Put each field in its {place}, once: a value that looks like a place stays as it is."""
    parts = text.split("{")
    filled = parts[0]
    for part in parts[1:]:
        name, _, rest = part.partition("}")
        value = printable(str(fields[name])) if name in fields else "?"
        filled += value + rest
    return filled


def _is_control(character: str) -> bool:
    """C0 and C1 controls, and what moves or hides text: separators, bidi and zero-width marks."""
    code = ord(character)
    return (
        code < 0x20
        or 0x7F <= code < 0xA0
        or 0x200B <= code <= 0x200F
        or 0x2028 <= code <= 0x202E
        or 0x2060 <= code <= 0x206F
        or code == 0xFEFF
        or 0xD800 <= code <= 0xDFFF
    )


def printable(text: str, limit: int = 200) -> str:
    """`text` fit for a terminal or a log: control characters replaced, length capped.

    Peers choose some of it (device names, broker reasons), so it is treated as hostile.
    """
    clean = "".join("?" if _is_control(character) else character for character in text)
    return clean if len(clean) <= limit else clean[:limit] + "..."
