"""NOR flash behind `esp32.Partition`: programming clears bits, erasing sets a sector of 4 KiB.

What is programmed is read back: a cell that did not take its bits is an error now, not a wrong
record later.
"""

from binascii import crc32

from edge.core.errors import StoreError

#: Looked at in one piece, in a buffer that stays.
_LOOK_BYTES = 256

#: Erases that a sector lasts (W25Q32JV data sheet, rev. J: 100,000 program/erase cycles).
SECTOR_ERASES = 100_000


class Flash:
    """A data partition. partition: `esp32.Partition`, or anything with its block protocol.

    erases, programmed_bytes: since this start.
    """

    def __init__(self, partition: object, name: str = "flash") -> None:
        self.name = name
        self.sector_bytes: int = partition.ioctl(5, 0)  # type: ignore[attr-defined]
        self.sectors: int = partition.ioctl(4, 0)  # type: ignore[attr-defined]
        self.erases = 0
        self.programmed_bytes = 0
        self._partition = partition
        self._look = bytearray(_LOOK_BYTES)

    def read(self, at: int, count: int) -> bytearray:
        """Bytes at an offset; raises StoreError "store.read"."""
        data = bytearray(count)
        self._read(at, data)
        return data

    def _read(self, at: int, into: "bytearray | memoryview") -> None:
        block, offset = at // self.sector_bytes, at % self.sector_bytes
        try:
            self._partition.readblocks(block, into, offset)  # type: ignore[attr-defined]
        except OSError as error:
            raise StoreError("store.read", file=self.name, reason=_reason(error))

    def look(self, at: int, count: int) -> memoryview:
        """Up to LOOK_BYTES at an offset, in a buffer that the next look fills anew."""
        part = memoryview(self._look)[: min(count, _LOOK_BYTES)]
        self._read(at, part)
        return part

    def crc(self, at: int, count: int, before: int) -> int:
        """The CRC-32 of what has `before` and of the bytes at an offset."""
        while count > 0:
            part = self.look(at, count)
            before = crc32(part, before)
            at += len(part)
            count -= len(part)
        return before

    def program(self, at: int, data: bytes) -> None:
        """Clear bits; raises StoreError "store.write", also for bits that did not take."""
        block, offset = at // self.sector_bytes, at % self.sector_bytes
        try:
            self._partition.writeblocks(block, data, offset)  # type: ignore[attr-defined]
        except OSError as error:
            raise StoreError("store.write", file=self.name, reason=_reason(error))
        self.programmed_bytes += len(data)
        for done in range(0, len(data), _LOOK_BYTES):
            part = memoryview(data)[done : done + _LOOK_BYTES]
            if self.look(at + done, len(part)) != part:
                raise StoreError("store.write", file=self.name, reason="bits that do not take")

    def erase(self, sector: int) -> None:
        """Set all bits of a sector; raises StoreError "store.write"."""
        try:
            self._partition.ioctl(6, sector)  # type: ignore[attr-defined]
        except OSError as error:
            raise StoreError("store.write", file=self.name, reason=_reason(error))
        self.erases += 1


def _reason(error: OSError) -> str:
    return "errno " + str(error.args[0] if error.args else error)
