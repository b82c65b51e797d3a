# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""The ROMFS partition of a firmware that has one: its image lies beside the heap, as in flash."""

import sys
import vfs

import _host
import uctypes

_NUMBER_OF_SEGMENTS = 1
_GET_SEGMENT = 2
_PREPARE_WRITE = 3
_WRITE = 4
_COMPLETE_WRITE = 5
_LEAST_WRITE_BYTES = 4


class _Vfs:
    """The module vfs with `rom_ioctl` as on the board."""

    def __init__(self, image):
        for name in ("VfsPosix", "VfsRom", "mount", "umount"):
            setattr(self, name, getattr(vfs, name))
        self._image = image

    def rom_ioctl(self, op, *values):
        if op == _NUMBER_OF_SEGMENTS:
            return 1
        if op == _GET_SEGMENT:
            return self._image
        if op == _PREPARE_WRITE:
            size = values[-1]
            _host.rom_erase(values[1] if len(values) > 2 else 0, size)
            return _LEAST_WRITE_BYTES
        if op == _WRITE:
            _, offset, data = values
            return _host.rom_write(offset, uctypes.addressof(data), len(data))
        return _host.rom_done() if op == _COMPLETE_WRITE else -22


def mount(address, length):
    """What the firmware does before boot.py."""
    image = memoryview(uctypes.bytearray_at(address, length))
    try:
        vfs.mount(vfs.VfsRom(image), "/rom")
    except OSError:
        pass  # no image: the firmware goes on without
    sys.path.extend(("/rom", "/rom/lib"))
    sys.modules["vfs"] = _Vfs(image)
