"""The names that a program on a device is given are in the ROM of firmwares: they take nothing."""

from pathlib import Path

import pytest

from edge.app.cli.build_rom import write_rom
from edge.app.cli.build_static import STATIC
from edge.app.cli.build_tree import compile_module
from hil_tests.micropython.device import Device

pytestmark = pytest.mark.system

ROM_BYTES = 0x8000
OTHER = "a_name_of_ours"
MAIN = f"""
import micropython
def names(thing):
    {"; ".join(f"thing.{name}" for name in (*STATIC, OTHER))}
micropython.qstr_info(1)
"""


@pytest.mark.parametrize("has_rom", [False, True], ids=["oldest firmware", "with ROMFS"])
def test_no_static_name_takes_a_place_in_the_table_of_names(tmp_path: Path, has_rom: bool):
    image = tmp_path / "romfs.img"
    write_rom({"nothing.mpy": compile_module("nothing", "")}, image, ROM_BYTES)
    device = Device(tmp_path / "device", rom=image if has_rom else None)
    device.write("main.py", MAIN)
    taken = {name.strip() for line in device.run()["lines"] for name in line.splitlines()}
    assert f"Q({OTHER})" in taken
    assert [name for name in STATIC if f"Q({name})" in taken] == []
