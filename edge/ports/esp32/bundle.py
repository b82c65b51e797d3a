"""The program as one file that is mounted: a module of its own takes 4 KiB of littlefs or more.

The file: b"CTB1", the CRC-32 of what follows, the number of modules (2 bytes), for each its path
(1 byte of length before it), offset and size (4 bytes each), then their bytes. Integers are
big-endian, offsets count from the beginning of the file.
"""

import io
import os
from binascii import crc32

MAGIC = b"CTB1"
HEAD_BYTES = 10

_FOLDER = 0x4000
_FILE = 0x8000
_ENOENT = 2
_PART_BYTES = 4096


class Bundle:
    """A file system of modules, as `os.mount` takes it; only reading.

    check: of the file, in hex; it names this build of the program.
    Raises OSError for a file that is not there, ValueError for one that is damaged.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._files: dict[str, tuple[int, int]] = {}
        self._folders: set[str] = {"/"}
        self.check = ""
        with open(path, "rb") as file:  # noqa: PTH123 - MicroPython has no pathlib
            head = file.read(HEAD_BYTES)
            if head[:4] != MAGIC or len(head) < HEAD_BYTES:
                raise ValueError(path + " is no bundle")
            check = crc32(head[8:])
            part = file.read(_PART_BYTES)
            while part:
                check = crc32(part, check)
                part = file.read(_PART_BYTES)
            if check != int.from_bytes(head[4:8], "big"):
                raise ValueError(path + " is damaged")
            self.check = head[4:8].hex()
            file.seek(HEAD_BYTES)
            for _ in range(int.from_bytes(head[8:], "big")):
                name = "/" + file.read(file.read(1)[0]).decode()
                place = file.read(8)
                at = int.from_bytes(place[:4], "big")
                self._files[name] = at, int.from_bytes(place[4:], "big")
                self._add_folders(name)

    def _add_folders(self, name: str) -> None:
        at = name.rfind("/")
        while at > 0:
            self._folders.add(name[:at])
            at = name[:at].rfind("/")

    def mount(self, readonly: bool, mkfs: bool) -> None:
        """Called by `os.mount`."""

    def umount(self) -> None:
        """Called by `os.umount`."""

    def stat(self, path: str) -> tuple[int, ...]:
        """As `os.stat` does."""
        path = "/" + path.strip("/")
        if path in self._files:
            return (_FILE, 0, 0, 0, 0, 0, self._files[path][1], 0, 0, 0)
        if path not in self._folders:
            raise OSError(_ENOENT)
        return (_FOLDER, 0, 0, 0, 0, 0, 0, 0, 0, 0)

    def open(self, path: str, mode: str) -> io.BufferedIOBase:
        """The file of the bundle, from where the module's bytes begin: they say where they end.

        A module read as a whole would take its size of the heap a second time.
        """
        path = "/" + path.strip("/")
        if path not in self._files or "w" in mode:
            raise OSError(_ENOENT)
        file = open(self._path, "rb")  # noqa: PTH123, SIM115 - the import closes it
        file.seek(self._files[path][0])
        return file


def encode_bundle(modules: dict[str, bytes]) -> bytes:
    """The file of {path: bytes}."""
    at = HEAD_BYTES + sum(len(name.encode()) + 9 for name in modules)
    table = body = b""
    for name in sorted(modules, key=str):
        path = name.encode()
        place = (at + len(body)).to_bytes(4, "big") + len(modules[name]).to_bytes(4, "big")
        table += bytes((len(path),)) + path + place
        body += modules[name]
    rest = len(modules).to_bytes(2, "big") + table + body
    return MAGIC + crc32(rest).to_bytes(4, "big") + rest


def mount(path: str, place: str, program: str) -> None:
    """Make the modules of a bundle importable. program: the check that it has to have.

    Raises as `Bundle` does, ValueError for another build too.
    """
    bundle = Bundle(path)
    if bundle.check != program:
        raise ValueError("config.build: " + path + " is of another build: flash files.img")
    os.mount(bundle, place)  # type: ignore[attr-defined]
