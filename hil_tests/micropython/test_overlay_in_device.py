"""A part of a program that runs at times leaves nothing but its names in the heap of a board."""

from pathlib import Path
from unittest.mock import patch

import pytest

from edge.app.cli.build import compile_program
from edge.app.cli.build_groups import OVERLAYS
from edge.app.cli.build_rom import write_rom
from hil_tests.micropython.device import Device

pytestmark = pytest.mark.system

ROM_BYTES = 0x8000
HEAP_BYTES = 64 * 1024
FUNCTIONS = 40
#: Of the functions alone, with their places in their module's dictionary.
LOADED_BYTES = FUNCTIONS * 24
SOURCES = {
    "edge": "",
    "edge.app": "",
    "edge.app.early": "".join(f"def f{at}(n): return n + {at}\n" for at in range(FUNCTIONS))
    + "def begin(n): return "
    + " + ".join(f"f{at}(n)" for at in range(FUNCTIONS))
    + "\n",
    "edge.app.device": """
def start(look):
    from edge.app.early import begin
    found = begin(3)
    return found, look()
def run(look):
    return start(look)
""",
}
MAIN = """
import gc
from app import run
def look():
    gc.collect()
    return gc.mem_alloc()
said = run(look)
before = after = 0
before = look()
said = run(look)
after = look()
print(said[0], said[1] - before, after - before)
"""


@pytest.mark.parametrize("is_resident", [False, True])
def test_an_overlay_is_gone_when_what_asked_for_it_returns(tmp_path: Path, is_resident: bool):
    overlays = {} if is_resident else {"early": ("edge.app.early",)}
    with patch.dict(OVERLAYS, overlays, clear=True):
        made, _ = compile_program(SOURCES)
    image = tmp_path / "romfs.img"
    write_rom(made, image, ROM_BYTES)
    device = Device(tmp_path / "device", heap_bytes=HEAP_BYTES, rom=image)
    device.write("main.py", MAIN)
    last = device.run()
    found, loaded, after = map(int, last["lines"][0].split())
    assert found == sum(range(FUNCTIONS)) + 3 * FUNCTIONS
    assert after <= 0, "less, where a dead pointer was still seen before"
    assert loaded == 0 if is_resident else loaded >= LOADED_BYTES, last["lines"]
