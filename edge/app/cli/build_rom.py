"""The program's ROMFS image, made with MicroPython's own writer."""

from pathlib import Path
from typing import TYPE_CHECKING

from edge.core.errors import ConfigError
from edge.ports.esp32.rom import encode_check

if TYPE_CHECKING:
    from mpremote.romfs import VfsRomWriter


def write_rom(modules: dict[str, bytes], target: Path, size: int) -> int:
    """Write the image of all modules, by path, and its check; its bytes.

    Raises ConfigError "config.file" when they do not fit.
    """
    from mpremote.romfs import VfsRomWriter

    writer = VfsRomWriter()
    _put(writer, modules)
    image = bytes(writer.finalise())
    image += encode_check(image)
    if len(image) > size:
        reason = f"{size} bytes of the partition are not enough for {len(image)}"
        raise ConfigError("config.file", file=str(target), reason=reason)
    target.write_bytes(image)
    return len(image)


def _put(writer: "VfsRomWriter", files: dict[str, bytes]) -> None:
    """Put files, by path, into the folder that is open."""
    folders: dict[str, dict[str, bytes]] = {}
    for path, data in sorted(files.items()):
        folder, _, rest = path.partition("/")
        if rest:
            folders.setdefault(folder, {})[rest] = data
        else:
            writer.mkfile(path, data)
    for folder, inside in folders.items():
        writer.opendir(folder)
        _put(writer, inside)
        writer.closedir()
