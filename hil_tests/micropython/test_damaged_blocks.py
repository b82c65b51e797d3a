"""The partition of the files damaged in any block: the device starts, or says what is damaged.

littlefs-python is littlefs' own C code, as the firmware's is. What the firmware does when nothing
can be mounted stands in docs/esp32.md.
"""

import functools
import random
import shutil
from pathlib import Path

import pytest
from littlefs import LittleFS, LittleFSError

from hil_tests.micropython.built import EMPTY_BUS, board_with, built, journal_of
from hil_tests.micropython.device import Device

pytestmark = pytest.mark.system

BLOCK_BYTES = 4096
FLIPS = 300
NEVER = b"\xff" * BLOCK_BYTES
STARTED_MS = 5_000

#: {file: what can be read of it}; None for one that can't be. {}: nothing can be mounted.
Files = dict[str, bytes | None]


@functools.cache
def whole() -> tuple[bytes, Files]:
    """The image, and what is in it."""
    out = built().out
    files: Files = {path.name: path.read_bytes() for path in (out / "tree").iterdir()}
    return (out / "files.img").read_bytes(), files


def read_files(image: bytes) -> Files:
    """What littlefs gives of an image."""
    system = LittleFS(block_size=BLOCK_BYTES, block_count=len(image) // BLOCK_BYTES, mount=False)
    system.context.buffer = bytearray(image)
    found: Files = {}
    try:
        system.mount()
    except LittleFSError:
        return found
    for name in whole()[1]:
        found[name] = None
        try:
            with system.open(name, "rb") as file:
                found[name] = file.read()
        except (LittleFSError, OSError):
            pass
    return found


def damaged_images() -> list[bytes]:
    """Every used block erased, cleared, half written and full of garbage; then single bits."""
    image, _ = whole()
    draw = random.Random(20261126)
    found = []
    used = [
        at for at in range(0, len(image), BLOCK_BYTES) if image[at : at + BLOCK_BYTES] != NEVER
    ]
    for at in used:
        half = image[at : at + BLOCK_BYTES // 2] + NEVER[BLOCK_BYTES // 2 :]
        for block in (NEVER, bytes(BLOCK_BYTES), half, draw.randbytes(BLOCK_BYTES)):
            found.append(image[:at] + block + image[at + BLOCK_BYTES :])
    for _ in range(FLIPS):
        at = draw.choice(used) + draw.randrange(BLOCK_BYTES)
        found.append(image[:at] + bytes((image[at] ^ 1 << draw.randrange(8),)) + image[at + 1 :])
    return found


def test_one_damaged_block_leaves_a_device_that_starts_or_names_the_file(tmp_path: Path) -> None:
    files = whole()[1]
    outcomes: dict[tuple[str, ...], Files] = {}
    for image in damaged_images():
        found = read_files(image)
        assert found, "both copies of the superblock are not gone at once"
        outcomes.setdefault(tuple(sorted(n for n in files if found[n] != files[n])), found)
    assert set(outcomes) == {(), ("config.bak",), ("config.json",), ("rom.mpy",)}
    for wrong, found in outcomes.items():
        if not wrong:
            continue
        device = board_with(built(), tmp_path / wrong[0])
        place(device, found)
        last = device.run(uarts=EMPTY_BUS, clock={"virtual": True}, stop_after_ms=STARTED_MS)
        if wrong == ("rom.mpy",):
            assert "rom.mpy is damaged: flash files.img again" in last["traceback"], last
        else:
            assert last["reason"] == "time" and last["lines"][0].startswith("gateway"), last
            assert (device.root / wrong[0]).read_bytes() == files[wrong[0]], "written anew"


def test_a_file_system_that_is_gone_costs_no_record_once_it_is_flashed_again(
    tmp_path: Path,
) -> None:
    image, files = whole()
    for block in (NEVER, random.Random(1).randbytes(BLOCK_BYTES)):
        assert read_files(2 * block + image[2 * BLOCK_BYTES :]) == {}
    device = board_with(built(), tmp_path / "device")
    device.run(uarts=EMPTY_BUS, clock={"virtual": True}, stop_after_ms=STARTED_MS)
    kept = journal_of(device)
    rows = kept.read(0, kept.next_seq - 1)
    place(device, files)
    last = device.run(uarts=EMPTY_BUS, clock={"virtual": True}, stop_after_ms=STARTED_MS)
    assert " boot 2 " in last["lines"][0], last
    assert journal_of(device).read(0, kept.next_seq - 1) == rows and len(rows) > 1


def place(device: Device, files: Files) -> None:
    """Put files on a board in place of its own; one that can't be read is not there."""
    shutil.rmtree(device.root)
    device.root.mkdir()
    for name, data in files.items():
        if data is not None:
            (device.root / name).write_bytes(data)
