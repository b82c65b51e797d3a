"""The program as a ROMFS image in a partition of its own, which the firmware runs in place.

It mounts the image at /rom before boot.py, when it was built with ROMFS and the partition table
has a partition "romfs". A CRC-32 follows the image.
"""

from binascii import crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Operations of `vfs.rom_ioctl`.
NUMBER_OF_SEGMENTS, GET_SEGMENT = 1, 2

MAGIC = b"\xd2\xcd\x31"
CHECK_BYTES = 4
#: An image of an odd length has one byte more than its length needs.
LENGTH_BYTES_MAX = 5


def check_rom(rom_ioctl: "Callable | None", program: str) -> None:
    """Raise ValueError, which says what to do, unless the program lies there whole.

    rom_ioctl: of the firmware's vfs; None where it has none. program: its check, in hex.
    """
    if rom_ioctl is None:
        raise ValueError(
            "this firmware is built without ROMFS: docs/esp32.md says how to build one"
        )
    if not rom_ioctl(NUMBER_OF_SEGMENTS):
        raise ValueError("no partition romfs: flash the partition table of the board file")
    image = memoryview(rom_ioctl(GET_SEGMENT, 0))
    check = _check(image) if bytes(image[: len(MAGIC)]) == MAGIC else b""
    if not check:
        raise ValueError("romfs is damaged: flash romfs.img again")
    if check.hex() != program:
        raise ValueError("config.build: romfs is of another build: flash files.img and romfs.img")


def _check(image: memoryview) -> bytes:
    """What follows a whole image; nothing for any other.

    The image's length follows its magic: seven bits in a byte, the high ones first.
    """
    length, at = 0, len(MAGIC)
    while image[at] & 0x80:
        length = length << 7 | image[at] & 0x7F
        at += 1
        if at > len(MAGIC) + LENGTH_BYTES_MAX:
            return b""
    end = at + 1 + (length << 7 | image[at])
    check = bytes(image[end : end + CHECK_BYTES])
    return check if check == encode_check(image[:end]) else b""


def encode_check(image: "bytes | memoryview") -> bytes:
    """What follows an image, and names this build of the program."""
    return crc32(image).to_bytes(CHECK_BYTES, "big")
