"""What a board needs in its flash beside files and program: the table of its partitions, secrets.

And the words to type that write all of it, each file where the table has its place for it.
"""

import hashlib
import json as json_module
import shlex
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge.core.errors import UsageError
from edge.ports.linux import files

TABLE_OFFSET = 0x8000
TABLE_BYTES = 0xC00
#: Magic, type, subtype, offset, size, name, flags: ESP-IDF programming guide, partition tables.
ENTRY = "<2sBBLL16sL"
MAGIC = b"\xaa\x50"
#: Before the MD5 of the entries.
CHECK = b"\xeb\xeb" + b"\xff" * 14
TYPES = {"app": 0, "data": 1}
SUBTYPES = {"factory": 0x00, "ota": 0x00, "phy": 0x01, "nvs": 0x02, "undefined": 0x06, "fat": 0x81}
FIRST_SLOT = 0x10

#: {what `build` makes: the partition it is for}
IMAGES = {"nvs.bin": "nvs", "romfs.img": "romfs", "files.img": "vfs"}
TABLE = "partitions.bin"

Part = dict[str, Any]


def encode_partitions(parts: Sequence[Part]) -> bytes:
    """The partition table of a board file, as the bootloader reads it."""
    table = b""
    for part in sorted(parts, key=lambda part: int(part["offset_bytes"])):
        subtype = part["subtype"]
        number = SUBTYPES.get(subtype)
        if number is None:
            number = FIRST_SLOT + int(subtype.removeprefix("ota_"))
        place = part["offset_bytes"], part["size_bytes"]
        name = part["name"].encode("ascii")
        table += struct.pack(ENTRY, MAGIC, TYPES[part["type"]], number, *place, name, 0)
    table += CHECK + hashlib.md5(table, usedforsecurity=False).digest()
    return table.ljust(TABLE_BYTES, b"\xff")


def flash_commands(chip: str, parts: Sequence[Part], out: Path) -> list[str]:
    """What to type for one board once it has its firmware; the journal is left as it is."""
    places = {part["name"]: part for part in parts}
    offsets = {TABLE: TABLE_OFFSET}
    for name, part in IMAGES.items():
        if part in places:
            offsets[name] = places[part]["offset_bytes"]
    written = [word for name, at in offsets.items() for word in (f"{at:#x}", str(out / name))]
    secrets = [str(out / "secrets.csv"), str(out / "nvs.bin"), f"{places['nvs']['size_bytes']:#x}"]
    python = (sys.executable, "-m")
    return [
        shlex.join([*python, "esp_idf_nvs_partition_gen", "generate", *secrets]),
        shlex.join([*python, "esptool", "--chip", chip, "write-flash", *written]),
    ]


def write_secrets(config: Path, target: Path, wifi_key: Path | None) -> None:
    """The table of the NVS partition generator: key,type,encoding,value."""
    document = files.parse_toml(files.read_bytes(config), str(config))
    folder = config.resolve().parent
    key = files.read_key(folder / document["gateway"]["key_file"])
    lines = ["key,type,encoding,value", "tally,namespace,,", f"key,data,hex2bin,{key.hex()}"]
    password_file = document["uplink"].get("password_file")
    named = {"password": None if password_file is None else folder / password_file}
    named["wifi"] = wifi_key
    for name, path in named.items():
        if path is not None:
            text = files.read_password(path)
            lines.append(f"{name},data,hex2bin,{text.encode().hex()}")
    target.unlink(missing_ok=True)
    files.write_private(target, "\n".join(lines) + "\n")


def check_wifi(wifi: str | None, wifi_key: Path | None) -> None:
    """A key is of a network; UsageError before anything is made."""
    if wifi_key is not None and not wifi:
        raise UsageError("usage.value", option="--wifi", found="nothing", expected="its name")


def say_made(told: dict[str, Any], commands: list[str], json: bool) -> None:
    """What was made, and what to type next."""
    if json:
        print(json_module.dumps({"event": "build", **told, "flash": commands}))
        return
    for name, value in told.items():
        print(f"{name:20} {value}")
    print("", "to flash a board that has its firmware (docs/esp32.md):", *commands, sep="\n")
