"""The configuration on the device: JSON in two files, each with its CRC; the last good wins."""

import json
import os
from binascii import crc32

from edge.core.errors import ConfigError

#: Newest first. The second is written before the first, so one of them is whole at any moment.
COPIES = ("config.json", "config.bak")

_CHECK_CHARS = 8
_TAIL_BYTES = _CHECK_CHARS + 2
_PART_BYTES = 512


def encode_copy(text: str) -> str:
    """A copy: one line of JSON, and its CRC-32 in a line of its own."""
    return text + "\n" + _check(text.encode()).decode() + "\n"


def _check(text: bytes) -> bytes:
    return ("0000000" + hex(crc32(text))[2:])[-_CHECK_CHARS:].encode()


def read_copies(folder: str = "") -> tuple[dict, list[str]]:
    """(the configuration, what is wrong with its copies).

    A copy that is not the same as the one taken is wrong as well: a change was cut off.
    Raises ConfigError "config.file" when no copy is whole: it says what is wrong with each.
    """
    problems: list[str] = []
    found: dict | None = None
    good = ""
    for name in COPIES:
        try:
            if found is None:
                found, good = _read(folder + name), name
            elif not _is_same(folder + good, folder + name):
                raise ValueError("it is not the same as " + good)
        except (OSError, ValueError) as error:
            problems.append(name + ": " + _reason(error))
    if found is None:
        raise ConfigError("config.file", file=COPIES[0], reason="; ".join(problems))
    return found, problems


def mend_copies(problems: list[str], folder: str = "") -> None:
    """Write anew the copies that `read_copies` found wrong, so that one more damage is harmless.

    A flash that takes no more is found wrong again at the next start: nothing is raised.
    """
    wrong = [name for name in COPIES if any(text.startswith(name) for text in problems)]
    for good in COPIES:
        if good not in wrong:
            for name in wrong:
                _copy(folder + good, folder + name)
            return


def _copy(source: str, target: str) -> None:
    try:
        with open(source, "rb") as whole, open(target, "wb") as file:  # noqa: PTH123
            part = whole.read(_PART_BYTES)
            while part:
                file.write(part)
                part = whole.read(_PART_BYTES)
    except OSError:
        pass


def _is_same(one: str, other: str) -> bool:
    """Whether two files are the same, in parts: a board has no room for both."""
    with open(one, "rb") as first, open(other, "rb") as second:  # noqa: PTH123
        part = b"-"
        while part:
            part = first.read(_PART_BYTES)
            if second.read(_PART_BYTES) != part:
                return False
    return True


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return "errno " + str(error.args[0] if error.args else "?")
    return str(error) or type(error).__name__


def _read(path: str) -> dict:
    size = os.stat(path)[6]  # noqa: PTH116 - MicroPython has no pathlib
    with open(path, "rb") as file:  # noqa: PTH123
        # Once in memory, not once more as a text: it is the largest thing of a start.
        text = file.read(max(0, size - _TAIL_BYTES))
        check = file.read()
    if check != b"\n" + _check(text) + b"\n":
        raise ValueError("its check does not fit")
    document = json.loads(text)
    if not isinstance(document, dict):
        raise ValueError("no object")
    return document


def write_copies(document: dict, folder: str = "") -> None:
    """Write both copies, the older one first; after a power cut at any moment one is whole."""
    text = encode_copy(json.dumps(document, separators=(",", ":")))
    for name in (COPIES[1], COPIES[0]):
        with open(folder + name, "w") as file:  # noqa: PTH123
            file.write(text)
