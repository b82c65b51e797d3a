"""The configuration on the device: JSON in two files, each with its CRC; the last good wins."""

import json
from binascii import crc32

from edge.core.errors import ConfigError

#: Newest first. The second is written before the first, so one of them is whole at any moment.
COPIES = ("config.json", "config.bak")

_CHECK_CHARS = 8


def encode_copy(text: str) -> str:
    """A copy: one line of JSON, and its CRC-32 in a line of its own."""
    return text + "\n" + _check(text) + "\n"


def _check(text: str) -> str:
    return ("0000000" + hex(crc32(text.encode()))[2:])[-_CHECK_CHARS:]


def read_copies(folder: str = "") -> tuple[dict, list[str]]:
    """(the configuration, what was wrong with the copies before it).

    Raises ConfigError "config.file" when no copy is whole: it says what is wrong with each.
    """
    problems: list[str] = []
    for name in COPIES:
        try:
            return _read(folder + name), problems
        except (OSError, ValueError) as error:
            problems.append(name + ": " + _reason(error))
    raise ConfigError("config.file", file=COPIES[0], reason="; ".join(problems))


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return "errno " + str(error.args[0] if error.args else "?")
    return str(error) or type(error).__name__


def _read(path: str) -> dict:
    with open(path, "rb") as file:  # noqa: PTH123 - MicroPython has no pathlib
        data = file.read()
    text, _, check = data.decode().partition("\n")
    if check.strip() != _check(text):
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
