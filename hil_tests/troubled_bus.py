"""A bus of two tiny stations on which something goes wrong, for tests of the emulator."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.frame import encode_reply
from hil_tests.ptys import TtyMaster, play, read_request

BAUD = 57_600

REQUEST = read_request(1, 3, 0, 4)
GOOD = encode_reply(1, 3, b"\x12\x34" + bytes(6))
OTHER = read_request(2, 3, 0, 1)
OTHER_GOOD = encode_reply(2, 3, b"\x00\x03")


def trouble(*tables: str, baud: int = BAUD, bus: str = "", one: str = "") -> str:
    """The scenario; tables: "[[bus.fault]]; station = 1; crc = true", `;` ending a line.

    bus, one: further lines of the bus and of station 1.
    """
    lines = ["seed = 5", "[[bus]]", 'name = "b"', f"baud = {baud}", bus]
    for number, value in ((1, 0x1234), (2, 3)):
        lines += ["[[bus.station]]", f"station = {number}", f'name = "s{number}"']
        lines += ['profile = "tiny.toml"', f"points = {{ a = {value}, b = 2 }}"]
        lines += [one] if number == 1 else []
    for table in tables:
        lines += table.split("; ")
    return "\n".join(lines)


@contextmanager
def running(
    directory: Path, scenario: str, **options: Any
) -> Iterator[tuple[Emulator, TtyMaster]]:
    """The emulator, its ledger at ledger.db, and a master on the bus."""
    ledger = directory / "ledger.db"
    with (
        play(directory, scenario, ledger_path=ledger, **options) as emulator,
        TtyMaster(emulator.ports["b"]) as master,
    ):
        yield emulator, master


def listen(master: TtyMaster, until_quiet_s: float = 0.1) -> bytes:
    """What is heard until the line has been quiet for that long."""
    heard = b""
    while data := master.receive(1, until_quiet_s):
        heard += data
    return heard
