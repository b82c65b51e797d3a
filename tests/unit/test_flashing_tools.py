"""What docs/esp32.md says of the NVS generator and of esptool, run as it stands there."""

import json
import shlex
import subprocess
import sys
import tomllib
from binascii import crc32
from hashlib import md5
from pathlib import Path

import pytest

from edge.app.cli.build_flash import encode_partitions
from hil_tests.site import KEY, Site, write_secret

from .source_tree import ROOT

BOARD = ROOT / "boards" / "esp32_devkitc_max485"
WIFI_KEY = "park of \u56ed\u533a"
PASSWORD = "\u56ed\u533a secret"

#: Of NVS (ESP-IDF programming guide, non-volatile storage, internals).
PAGE_BYTES, ENTRY_BYTES = 4096, 32
FIRST_ENTRY = 2
NAMESPACE, BLOB_DATA = 0x01, 0x42


def documented(tool: str) -> list[str]:
    """The arguments of the line that runs a tool."""
    lines = (ROOT / "docs" / "esp32.md").read_text().splitlines()
    (line,) = [line for line in lines if line.strip().startswith(f"python -m {tool} ")]
    return shlex.split(line)[1:]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `out`, and `out/nvs.bin` as the documented generator makes it."""
    place = tmp_path_factory.mktemp("flashing")
    site = Site(place, 1883)
    site.document["bus"][0]["port"] = "bus0"
    site.document["uplink"].update({"user": "gw", "password_file": "password"})
    write_secret(place / "password", PASSWORD + "\n")
    write_secret(place / "wifi.key", WIFI_KEY + "\n")
    site.write()
    options = ["-b", str(BOARD), "-c", str(site.config), "-o", "out", "--json"]
    options += ["--wifi", "PARK", "--wifi-key", "wifi.key"]
    built = run(place, "-m", "edge", "build", "esp32", *options)
    assert built.returncode == 0, built.stderr
    (place / "told.json").write_text(built.stdout)
    made = run(place, *documented("esp_idf_nvs_partition_gen"))
    assert made.returncode == 0, made.stderr
    return place


def test_build_says_what_the_guide_says(folder: Path) -> None:
    told = json.loads((folder / "told.json").read_text())["flash"]
    tools = ("esp_idf_nvs_partition_gen", "esptool")
    assert told == [shlex.join([sys.executable, *documented(tool)]) for tool in tools]


@pytest.mark.parametrize("name", ["esp32_devkitc_max485", "esp32s3_rs485_auto"])
def test_the_table_of_partitions_is_that_of_the_board(name: str) -> None:
    """Read by the ESP-IDF programming guide, partition tables, binary format."""
    rows = tomllib.loads((ROOT / "boards" / name / "board.toml").read_text())["partitions"]
    table = encode_partitions(rows)
    assert len(table) == 0xC00
    entries = [table[at : at + 32] for at in range(0, 32 * len(rows), 32)]
    found = []
    for entry in entries:
        assert entry[:2] == b"\xaa\x50" and entry[28:] == bytes(4)
        numbers = [int.from_bytes(entry[at : at + 4], "little") for at in (4, 8)]
        found.append((entry[12:28].rstrip(b"\0").decode(), entry[2], entry[3], *numbers))
    kinds = {
        ("data", "nvs"): (1, 2),
        ("data", "ota"): (1, 0),
        ("data", "phy"): (1, 1),
        ("data", "fat"): (1, 0x81),
        ("data", "undefined"): (1, 6),
        ("app", "ota_0"): (0, 0x10),
        ("app", "ota_1"): (0, 0x11),
    }
    assert found == [
        (row["name"], *kinds[row["type"], row["subtype"]], row["offset_bytes"], row["size_bytes"])
        for row in rows
    ]
    check = table[32 * len(rows) :][:32]
    assert check == b"\xeb\xeb" + b"\xff" * 14 + md5(b"".join(entries)).digest()
    assert set(table[32 * len(rows) + 32 :]) == {0xFF}


def partitions() -> dict[str, tuple[int, int]]:
    """{name: (offset, size)}"""
    rows = tomllib.loads((BOARD / "board.toml").read_text())["partitions"]
    return {row["name"]: (row["offset_bytes"], row["size_bytes"]) for row in rows}


def read_blobs(image: bytes) -> dict[tuple[str, str], bytes]:
    """{(namespace, key): blob} of an NVS partition; every check in it has to fit."""
    names: dict[int, str] = {}
    found: dict[tuple[int, str], bytes] = {}
    for page in range(0, len(image), PAGE_BYTES):
        entries = image[page : page + PAGE_BYTES]
        at = FIRST_ENTRY * ENTRY_BYTES
        while at < PAGE_BYTES and entries[at] != 0xFF:
            entry = entries[at : at + ENTRY_BYTES]
            space, kind, span = entry[:3]
            check = crc32(entry[:4] + entry[8:], 0xFFFFFFFF)
            assert check == int.from_bytes(entry[4:8], "little")
            key = entry[8:24].rstrip(b"\0").decode()
            if kind == NAMESPACE and space == 0:
                names[entry[24]] = key
            elif kind == BLOB_DATA:
                size = int.from_bytes(entry[24:26], "little")
                data = entries[at + ENTRY_BYTES : at + ENTRY_BYTES + size]
                assert crc32(data, 0xFFFFFFFF) == int.from_bytes(entry[28:32], "little")
                found[space, key] = data
            at += span * ENTRY_BYTES
    return {(names[space], key): data for (space, key), data in found.items()}


def test_the_generator_makes_the_secrets_that_the_device_reads(folder: Path) -> None:
    image = (folder / "out" / "nvs.bin").read_bytes()
    assert len(image) == partitions()["nvs"][1]
    wanted = {("tally", "key"): KEY, ("tally", "password"): PASSWORD.encode()}
    wanted["tally", "wifi"] = WIFI_KEY.encode()
    assert read_blobs(image) == wanted


def test_esptool_takes_the_line_and_every_file_lies_in_its_partition(folder: Path) -> None:
    arguments = documented("esptool")
    at = arguments.index("write-flash")
    pairs = arguments[at + 1 :]
    merge = [*arguments[:at], "merge-bin", "-o", "whole.bin", *pairs]
    merged = run(folder, *merge)
    assert merged.returncode == 0, merged.stdout + merged.stderr
    whole = (folder / "whole.bin").read_bytes()
    known = partitions()
    for offset_text, name in zip(pairs[::2], pairs[1::2], strict=True):
        data = (folder / name).read_bytes()
        names = {"nvs.bin": "nvs", "romfs.img": "romfs", "files.img": "vfs"}
        part = names.get(Path(name).name)
        offset, size = (0x8000, 0x1000) if part is None else known[part]
        assert int(offset_text, 16) == offset and len(data) <= size
        assert whole[offset : offset + len(data)] == data
    start, size = known["tally"]
    assert len(whole) <= start, "the journal's partition is not written"
    # As it stands, up to where it needs a board.
    port = [*arguments[:at], "--port", str(folder / "no_board"), *arguments[at:]]
    refused = run(folder, *port)
    assert refused.returncode != 0 and "no_board" in refused.stdout + refused.stderr
