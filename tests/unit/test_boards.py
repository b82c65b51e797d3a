"""Boards as data: the schema holds, no pin is used twice or unsafe, partitions fit the flash."""

import copy
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from .source_tree import ROOT

BOARDS = ROOT / "boards"
FILES = sorted(BOARDS.glob("*/board.toml"))
EXPECTED = {"raspberry_pi_rs485_hat", "esp32_devkitc_max485", "esp32s3_rs485_auto"}
SCHEMA = json.loads((BOARDS / "board.schema.json").read_text(encoding="utf-8"))
SECTOR_BYTES = 4096
APP_ALIGNMENT_BYTES = 0x10000

#: Pins a board must leave alone. Source: Espressif, ESP-IDF programming guide, GPIO, per chip.
STRAPPING = {"esp32": {0, 2, 5, 12, 15}, "esp32s3": {0, 3, 45, 46}, "bcm2711": set()}
FLASH = {"esp32": set(range(6, 12)), "esp32s3": set(range(26, 33)), "bcm2711": set()}
#: Taken by flash and PSRAM on modules of the same family, whether this one has them or not.
OCTAL = {"esp32": set(), "esp32s3": {33, 34, 35, 36, 37}, "bcm2711": set()}
CONSOLE = {"esp32": {1, 3}, "esp32s3": {19, 20, 43, 44}, "bcm2711": set()}
EXISTING = {
    "esp32": {*range(20), 21, 22, 23, 25, 26, 27, *range(32, 40)},
    "esp32s3": {*range(22), *range(26, 49)},
    "bcm2711": set(range(28)),
}
INPUT_ONLY = {"esp32": {34, 35, 36, 39}, "esp32s3": set(), "bcm2711": set()}
UARTS = {"esp32": 3, "esp32s3": 3, "bcm2711": 6}

Board = dict[str, Any]


def load(name: str) -> Board:
    return tomllib.loads((BOARDS / name / "board.toml").read_text(encoding="utf-8"))


def schema_errors(board: Board) -> list[str]:
    return [error.json_path for error in Draft202012Validator(SCHEMA).iter_errors(board)]


def field_pins(board: Board) -> dict[str, int]:
    """Name -> GPIO of everything we drive or read, the console left out."""
    pins = {f"indicators.{name}": pin for name, pin in board.get("indicators", {}).items()}
    for line in board["rs485"]:
        for name in ("tx_pin", "rx_pin", "de_pin"):
            if name in line:
                pins[f"{line['name']}.{name}"] = line[name]
    return pins


def pin_errors(board: Board) -> list[str]:
    chip = board["chip"]
    pins = field_pins(board)
    taken = STRAPPING[chip] | FLASH[chip] | OCTAL[chip] | CONSOLE[chip]
    found = [f"{name} on {pin} is taken by the chip" for name, pin in pins.items() if pin in taken]
    console = {board["console"].get("tx_pin"), board["console"].get("rx_pin")} - {None}
    everything = [*pins.values(), *console]
    found += [f"pin {pin} is used twice" for pin in set(everything) if everything.count(pin) > 1]
    for name, pin in pins.items():
        if pin not in EXISTING[chip]:
            found.append(f"{name}: the chip has no GPIO {pin}")
        if pin in INPUT_ONLY[chip] and not name.endswith(("rx_pin", "button_pin")):
            found.append(f"{name}: GPIO {pin} cannot drive")
    uarts = [line["uart"] for line in board["rs485"]]
    console_uart = [board["console"]["uart"]] if "uart" in board["console"] else []
    if len({*uarts, *console_uart}) != len(uarts + console_uart):
        found.append("a UART is used twice")
    return found + [f"no UART {uart}" for uart in uarts if uart >= UARTS[chip]]


def partition_errors(board: Board) -> list[str]:
    table = sorted(board["partitions"], key=lambda part: part["offset_bytes"])
    names = [part["name"] for part in table]
    found = [f"{name} appears twice" for name in set(names) if names.count(name) > 1]
    end = 0x9000
    for part in table:
        unit = APP_ALIGNMENT_BYTES if part["type"] == "app" else SECTOR_BYTES
        if part["offset_bytes"] % unit or part["size_bytes"] % SECTOR_BYTES:
            found.append(f"{part['name']} is not aligned")
        if part["offset_bytes"] < end:
            found.append(f"{part['name']} overlaps what is before it")
        end = max(end, part["offset_bytes"] + part["size_bytes"])
    if end > board["flash_bytes"]:
        found.append("the table does not fit the flash")
    if board["storage"]["partition"] not in names:
        found.append("the journal has no partition")
    slots = [part["size_bytes"] for part in table if part["type"] == "app"]
    if not slots or len(set(slots)) != 1:
        found.append("an update needs slots of one size")
    return found


def test_the_boards_are_there():
    assert {path.parent.name for path in FILES} >= EXPECTED
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_board(path: Path):
    board = load(path.parent.name)
    assert schema_errors(board) == []
    assert board["id"] == path.parent.name
    assert pin_errors(board) == []
    assert board["platform"] == "linux" or partition_errors(board) == []


@pytest.mark.parametrize("name", ["esp32_devkitc_max485", "esp32s3_rs485_auto"])
def test_no_flash_is_left_over(name: str):
    board = load(name)
    used = sum(part["size_bytes"] for part in board["partitions"])
    assert 0x9000 + used == board["flash_bytes"]


def changed(name: str, *keys: str | int, to: object) -> Board:
    """A board with one value replaced, or with `to` = None taken out."""
    board = copy.deepcopy(load(name))
    place: Any = board
    for key in keys[:-1]:
        place = place[key]
    if to is None:
        del place[keys[-1]]
    else:
        place[keys[-1]] = to
    return board


DEVKITC = "esp32_devkitc_max485"
PI = "raspberry_pi_rs485_hat"


@pytest.mark.parametrize(
    "board",
    [
        changed(DEVKITC, "colour", to="red"),
        changed(DEVKITC, "rs485", 0, "de_pin", to=None),
        changed(DEVKITC, "rs485", 0, "direction", to="auto"),
        changed(DEVKITC, "partitions", to=None),
        changed(DEVKITC, "storage", "kind", to="sqlite"),
        changed(DEVKITC, "console", "baud", to=None),
        changed(DEVKITC, "sources", 0, "confidence", to="sure"),
        changed(DEVKITC, "chip", to="bcm2711"),
        changed(DEVKITC, "rs485", 0, "tx_pin", to="17"),
        changed(PI, "rs485", 0, "port", to=None),
        changed(PI, "watchdog", "timeout_ms", to=60000),
        changed(PI, "storage", "path", to="journal.db"),
        changed(PI, "partitions", to=load(DEVKITC)["partitions"]),
    ],
)
def test_the_schema_refuses(board: Board):
    assert schema_errors(board)


@pytest.mark.parametrize(
    ("keys", "pin", "said"),
    [
        (("rs485", 0, "de_pin"), 12, "taken by the chip"),
        (("rs485", 0, "de_pin"), 6, "taken by the chip"),
        (("indicators", "led_pin"), 1, "taken by the chip"),
        (("indicators", "led_pin"), 17, "used twice"),
        (("indicators", "led_pin"), 34, "cannot drive"),
        (("indicators", "led_pin"), 24, "no GPIO 24"),
        (("rs485", 0, "uart"), 0, "used twice"),
        (("rs485", 0, "uart"), 3, "no UART 3"),
    ],
)
def test_a_bad_pin_is_seen(keys: tuple[str | int, ...], pin: int, said: str):
    assert said in " ".join(pin_errors(changed(DEVKITC, *keys, to=pin)))


@pytest.mark.parametrize(
    ("index", "key", "value", "said"),
    [
        (0, "size_bytes", 0x4100, "not aligned"),
        (3, "offset_bytes", 0x11000, "not aligned"),
        (0, "size_bytes", 0x5000, "overlaps"),
        (7, "size_bytes", 0xB1000, "does not fit"),
        (7, "name", "other", "no partition"),
        (6, "name", "tally", "appears twice"),
        (4, "size_bytes", 0x170000, "one size"),
    ],
)
def test_a_bad_partition_is_seen(index: int, key: str, value: object, said: str):
    board = changed(DEVKITC, "partitions", index, key, to=value)
    assert said in " ".join(partition_errors(board))
