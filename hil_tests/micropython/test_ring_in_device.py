"""The ring log on real MicroPython: the bytes that CPython reads, and power that fails."""

import itertools
from pathlib import Path

import msgpack
import pytest

from edge.ports.esp32.ring_store import RingStore
from hil_tests.micropython.device import Device, compile_file, compile_tree
from hil_tests.micropython.twins import ROOT, gateway_files
from tests.unit.flash_doubles import NorFlash
from tests.unit.metered_ring import metered

pytestmark = pytest.mark.system

PROGRAM = Path(__file__).with_name("programs") / "ring_polls.py"
MEMORY = PROGRAM.with_name("ring_memory.py")
#: Of 8 meters and 12 streams: what an open journal keeps, what opening takes beside that for a
#: while, a place from which is read, and what reading takes beside it.
OPEN_BYTES, OPENING_BYTES = 7_400, 4_400
PLACE_BYTES, READING_BYTES = 5_000, 3_000
PARTITION_BYTES = 6 * 4096
HEAP_BYTES = 192 * 1024
MAIN = "from ring_polls import run\nrun(%d, 1)\n"
MODES = ("atomic", "half", "garbage")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tree")
    ports = sorted((ROOT / "edge" / "ports" / "esp32").glob("*.py"))
    compile_tree(ROOT, folder, [*gateway_files(), *ports])
    for program in (PROGRAM, MEMORY):
        compile_file(program, folder / program.with_suffix(".mpy").name, program.name)
    return folder


def opened(device: Device) -> RingStore:
    """What CPython finds on the device's flash."""
    flash = NorFlash(PARTITION_BYTES)
    flash.cells[:] = device.flash.read_bytes()
    return RingStore(flash, "gw-1", sectors=1)


def test_cpython_reads_what_micropython_wrote_and_the_other_way_round(tmp_path: Path, tree: Path):
    device = Device(tmp_path / "device", tree, {"tally": PARTITION_BYTES}, HEAP_BYTES)
    device.write("main.py", MAIN % 60)
    first = device.run()
    assert first["reason"] == "finished", first.get("traceback", first)
    store = opened(device)
    rows = store.read(0, store.next_seq - 1)
    assert len(rows) == store.next_seq == 120 and store.acked_seq == 119
    assert msgpack.unpackb(rows[77][0])[6][1][29] == 29_000 + 77 * 30
    assert store.findings() == [("journal.begun", {})], "it was closed"
    store.close()
    device.flash.write_bytes(bytes(store.flash._partition.cells))
    last = device.run()
    assert last["lines"][0] == f"opened 3 120 119 {rows[-1][1].hex()}"
    assert first["flash"]["unerased_bytes"] == last["flash"]["unerased_bytes"] == 0


def test_power_fails_in_the_device_at_any_operation(tmp_path: Path, tree: Path):
    """Each boot is cut at another operation, in another way; the next one goes on from there."""
    device = Device(tmp_path / "device", tree, {"tally": PARTITION_BYTES}, HEAP_BYTES)
    device.write("main.py", MAIN % 30)
    promised, cuts = -1, 0
    for at, mode in zip(range(1, 30, 3), itertools.cycle(MODES), strict=False):
        last = device.run(cut=(at, mode))
        assert last["reason"] in ("power_cut", "finished"), last.get("traceback", last)
        cuts += last["reason"] == "power_cut"
        for line in last["lines"]:
            words = line.split()
            if words[0] == "opened":
                assert int(words[2]) - 1 >= promised
            if words[0] == "promised":
                promised = int(words[1])
    assert cuts >= 8
    store = opened(device)
    assert store.next_seq - 1 >= promised
    assert len(store.read(0, store.next_seq - 1)) == store.next_seq


def test_a_journal_is_opened_and_read_a_row_at_a_time(tmp_path: Path, tree: Path):
    """Memory that is alive at any moment, by the collector of the device."""
    store, flash = metered(300, 256 << 10)
    store.close()
    device = Device(tmp_path / "device", tree, {"tally": len(flash.cells)}, HEAP_BYTES)
    device.flash.write_bytes(flash.cells)
    device.write("main.py", "from ring_memory import run\nrun()\n")
    last = device.run()
    assert last["reason"] == "finished", last.get("traceback", last)
    told = {name: (int(live), int(most)) for name, live, most in map(str.split, last["lines"])}
    live, most = told["opened"]
    assert live <= OPEN_BYTES and most <= OPEN_BYTES + OPENING_BYTES, told
    for name, places in ("found", 1), ("read", 1), ("two", 2):
        assert told[name][0] <= places * PLACE_BYTES, told
        assert told[name][1] <= places * PLACE_BYTES + READING_BYTES, told
