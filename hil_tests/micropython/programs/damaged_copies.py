"""Damages the configuration's copies at every byte, in every way; prints what was read wrong.

The whole ones are in the root of the device; damaged ones are made in FOLDER.
"""

from edge.core.errors import ConfigError
from edge.ports.esp32.config_file import COPIES, mend_copies, read_copies

NEWEST, OTHER = COPIES
FOLDER = "/ram/"


def _put(name: str, data: bytes) -> None:
    with open(FOLDER + name, "wb") as file:  # noqa: PTH123 - MicroPython has no pathlib
        file.write(data)


def _get(name: str) -> bytes:
    with open(FOLDER + name, "rb") as file:  # noqa: PTH123
        return file.read()


def _damages(whole: bytes, at: int) -> "tuple[bytes, ...]":
    """A bit that flipped, cells that were erased or programmed from there on, a file cut short."""
    head, rest = whole[:at], len(whole) - at
    flipped = head + bytes((whole[at] ^ 1 << at % 8,)) + whole[at + 1 :]
    return flipped, head + b"\xff" * rest, head + b"\0" * rest, head


def run() -> None:
    """Print "cases", how many, and "wrong" with each case that was not as it has to be."""
    wanted, problems = read_copies()
    assert not problems
    with open(NEWEST, "rb") as file:  # noqa: PTH123
        whole = file.read()
    cases = 0
    for at in range(len(whole)):
        for damaged in _damages(whole, at):
            cases += 1
            for names in ((NEWEST,), (OTHER,), COPIES):
                if not _is_right(names, damaged, whole, wanted):
                    print("wrong", at, names, damaged[at : at + 1])
    print("cases", cases)


def _is_right(names: "tuple[str, ...]", damaged: bytes, whole: bytes, wanted: dict) -> bool:
    for name in COPIES:
        _put(name, damaged if name in names else whole)
    try:
        found, problems = read_copies(FOLDER)
    except ConfigError as error:
        told = str(error.fields["reason"])
        return names == COPIES and all(name in told for name in COPIES)
    if found != wanted:
        return False
    mend_copies(problems, FOLDER)
    named = [problem.split(":")[0] for problem in problems]
    return named == list(names) and _get(NEWEST) == _get(OTHER) == whole
