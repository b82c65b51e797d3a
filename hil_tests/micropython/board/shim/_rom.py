# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""The ROMFS partition of a firmware that has one: its image lies beside the heap, as in flash."""

import sys
import vfs

import uctypes

_NUMBER_OF_SEGMENTS = 1
_GET_SEGMENT = 2


class _Vfs:
    """The module vfs with `rom_ioctl` as on the board."""

    def __init__(self, image):
        for name in ("VfsPosix", "VfsRom", "mount", "umount"):
            setattr(self, name, getattr(vfs, name))
        self._image = image

    def rom_ioctl(self, op, *_):
        if op == _NUMBER_OF_SEGMENTS:
            return 1
        return self._image if op == _GET_SEGMENT else -22


def mount(address, length):
    """What the firmware does before boot.py."""
    image = memoryview(uctypes.bytearray_at(address, length))
    try:
        vfs.mount(vfs.VfsRom(image), "/rom")
    except OSError:
        pass  # no image: the firmware goes on without
    sys.path.extend(("/rom", "/rom/lib"))
    sys.modules["vfs"] = _Vfs(image)
