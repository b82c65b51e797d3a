"""NOR flash in memory, with the block protocol of `esp32.Partition` and power that fails."""

import random

SECTOR_BYTES = 4096


class PowerFailedError(Exception):
    """The power failed in the middle of an operation on the flash."""


class NorFlash:
    """`cells` is what survives. cut_at: the power fails in the n-th program or erase from now on
    (from 1), of which nothing ("atomic"), the first half or a mixture ("garbage") happened.
    """

    def __init__(self, size: int) -> None:
        self.cells = bytearray(b"\xff" * size)
        self.operations = 0
        self.unerased_bytes = 0
        self.wear = [0] * (size // SECTOR_BYTES)
        self.is_broken = False
        self._cut_at, self._mode = 0, ""

    def cut(self, cut_at: int, mode: str) -> None:
        self.operations, self._cut_at, self._mode = 0, cut_at, mode

    def readblocks(self, block: int, buffer: bytearray, offset: int = 0) -> None:
        at = block * SECTOR_BYTES + offset
        assert at + len(buffer) <= len(self.cells)
        buffer[:] = self.cells[at : at + len(buffer)]

    def writeblocks(self, block: int, data: bytes, offset: int = 0) -> None:
        if self.is_broken:
            raise OSError(5)
        at = block * SECTOR_BYTES + offset
        old = self.cells[at : at + len(data)]
        assert len(old) == len(data)
        self.unerased_bytes += sum(bool(new & ~was) for new, was in zip(data, old, strict=True))
        self._change(at, bytes(new & was for new, was in zip(data, old, strict=True)))

    def ioctl(self, request: int, argument: int) -> int:
        if request == 4:
            return len(self.cells) // SECTOR_BYTES
        if request == 6:
            if self.is_broken:
                raise OSError(5)
            self.wear[argument] += 1
            self._change(argument * SECTOR_BYTES, b"\xff" * SECTOR_BYTES)
            return 0
        return SECTOR_BYTES

    def _change(self, at: int, wanted: bytes) -> None:
        self.operations += 1
        if self.operations != self._cut_at:
            self.cells[at : at + len(wanted)] = wanted
            return
        old = bytes(self.cells[at : at + len(wanted)])
        noise = random.Random(self._cut_at)
        half = len(wanted) // 2
        for index, byte in enumerate(wanted):
            mask = noise.getrandbits(8)
            if self._mode != "garbage":
                mask = 255 if self._mode == "half" and index < half else 0
            self.cells[at + index] = (byte & mask) | (old[index] & ~mask)
        self._cut_at = 0
        raise PowerFailedError
