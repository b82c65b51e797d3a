"""Files of a device damaged at every byte: it takes what is whole, and says what is not."""

import json
from pathlib import Path

import pytest

from edge.app.cli.build_tree import needed_modules
from edge.ports.esp32.bundle import encode_bundle
from edge.ports.esp32.config_file import write_copies
from hil_tests.micropython.device import Device, compile_file, compile_tree
from hil_tests.micropython.twins import ROOT

pytestmark = pytest.mark.system

PROGRAM = Path(__file__).with_name("programs") / "damaged_copies.py"
DOCUMENT = {
    "board": {"rs485": {"bus0": {"uart": 2, "tx": 17}}, "watchdog_ms": 60_000},
    "digest": "c0ffee" * 8,
    "wifi": "PARK \u56ed\u533a",
    "plan": "gqRidXMwpGJ1czE=" * 4,
}


def test_a_configuration_damaged_at_every_byte_is_never_read_wrong(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    compile_tree(ROOT, tree, needed_modules(("edge.ports.esp32.config_file",)).values())
    compile_file(PROGRAM, tree / "damaged_copies.mpy", PROGRAM.name)
    device = Device(tmp_path / "device", tree)
    write_copies(DOCUMENT, f"{device.root}/")
    device.write("main.py", "from damaged_copies import run\nrun()\n")
    last = device.run()
    length = len(json.dumps(DOCUMENT, separators=(",", ":")).encode()) + len("\n01234567\n")
    assert last["reason"] == "finished", last
    assert last["lines"] == [f"cases {4 * length}"]


#: Prints what was taken for a bundle although it is none.
MOUNTS = """
from bundle import Bundle
with open("whole.bin", "rb") as file: whole = file.read()
print("modules", len(Bundle("whole.bin")._files))
cases = 0
for at in range(len(whole)):
    flipped = whole[:at] + bytes((whole[at] ^ 1 << at % 8,)) + whole[at + 1:]
    for damaged in (flipped, whole[:at] + b"\\xff" * (len(whole) - at), whole[:at]):
        with open("/ram/damaged.bin", "wb") as file: file.write(damaged)
        cases += 1
        try:
            Bundle("/ram/damaged.bin")
            print("taken", at, damaged[at:at + 1])
        except ValueError as error:
            assert "/ram/damaged.bin is " in str(error)
print("cases", cases)
"""


def test_a_program_damaged_at_every_byte_is_never_mounted(tmp_path: Path) -> None:
    device = Device(tmp_path / "device")
    source = ROOT / "edge" / "ports" / "esp32" / "bundle.py"
    compile_file(source, device.root / "bundle.mpy", source.name)
    modules = {"edge/a.mpy": bytes(range(90)), "edge/b.mpy": b"", "edge/c/d.mpy": bytes(100)}
    whole = encode_bundle(modules)
    (device.root / "whole.bin").write_bytes(whole)
    device.write("main.py", MOUNTS)
    last = device.run()
    assert last["lines"] == ["modules 3", f"cases {3 * len(whole)}"], last
