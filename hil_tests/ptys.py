"""A master's end of an emulated bus, for tests: raw bytes in and out, with their times."""

import os
import select
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.frame import seal
from hil_tests.emulator.scenario import read_scenario

_DEADLINE_S = 10.0

#: A device with two points, at both ends of a map of 20 registers, read with function 3.
TINY_PROFILE = """
id = "tiny"
function = 3
word_order = "big"
byte_order = "big"
max_block_registers = 20
points = [
  { name = "a", address = 0, type = "u16", scale = "1", unit = "1", places = 0, class = "gauge" },
  { name = "b", address = 19, type = "u16", scale = "1", unit = "1", places = 0, class = "gauge" },
]
"""


@contextmanager
def play(directory: Path, scenario: str, **options: Any) -> Iterator[Emulator]:
    """Run the TOML text `scenario` in `directory`, where profile "tiny.toml" may be used too."""
    (directory / "tiny.toml").write_text(TINY_PROFILE)
    path = directory / "scenario.toml"
    path.write_text(scenario)
    with Emulator(read_scenario(path), **options) as emulator:
        yield emulator


def read_request(station: int, function: int, address: int, count: int) -> bytes:
    """A read request with its CRC."""
    return seal(bytes((station, function)) + address.to_bytes(2, "big") + count.to_bytes(2, "big"))


class TtyMaster:
    """Sends requests on a tty and takes what comes back, chunk by chunk."""

    def __init__(self, port: str) -> None:
        self._fd = os.open(port, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        tty.setraw(self._fd)

    def __enter__(self) -> "TtyMaster":
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def send(self, data: bytes) -> None:
        os.write(self._fd, data)

    def chunks(self, length: int, within_s: float = _DEADLINE_S) -> list[tuple[float, bytes]]:
        """(monotonic time, bytes) of each read until `length` bytes are here or time is up."""
        taken: list[tuple[float, bytes]] = []
        end_s = time.monotonic() + within_s
        while sum(len(data) for _, data in taken) < length:
            left_s = end_s - time.monotonic()
            if left_s <= 0 or not select.select([self._fd], [], [], left_s)[0]:
                break
            data = os.read(self._fd, 4096)
            taken.append((time.monotonic(), data))
        return taken

    def receive(self, length: int, within_s: float = _DEADLINE_S) -> bytes:
        """Up to `length` bytes, fewer if the time is up."""
        return b"".join(data for _, data in self.chunks(length, within_s))

    def ask(self, request: bytes, length: int, within_s: float = _DEADLINE_S) -> bytes:
        """Send `request` and receive()."""
        self.send(request)
        return self.receive(length, within_s)
