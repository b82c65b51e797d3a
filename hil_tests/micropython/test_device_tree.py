"""What `carbontally build esp32` makes, started as it is: bus, journal on flash, broker, cloud."""

import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from edge.__main__ import main
from edge.ports.esp32.ring_store import RingStore
from hil_tests.micropython.device import Device, Run
from hil_tests.micropython.twins import ROOT
from hil_tests.site import BUS, GATEWAY, KEY, Site
from hil_tests.witness import judge_cloud, read_cloud
from tests.contract.brokers import mosquitto, wait_until
from tests.unit.flash_doubles import NorFlash

pytestmark = pytest.mark.system

BOARD = ROOT / "boards" / "esp32_devkitc_max485"
#: A board with PSRAM has it: code from .mpy files is in the heap, profiles come as documents.
HEAP_BYTES = 1024 * 1024
JOURNAL_BYTES = 0xB0000
POLLS = 60
#: Of the whole program in bytes; see docs/esp32.md.
PROGRAM_BYTES = 144_000
IMAGE_BYTES = 0x40000


def built(site: Site, out: Path) -> None:
    """Build the site's gateway for the board."""
    site.document["bus"][0]["port"] = "bus0"
    site.write()
    options = ["-b", str(BOARD), "-c", str(site.config), "-o", str(out), "--json", "--ntp", ""]
    assert main(["build", "esp32", *options]) == 0


def device_of(out: Path, folder: Path, heap_bytes: int = HEAP_BYTES) -> Device:
    """A board with the files, and with the secrets in its NVS."""
    device = Device(folder, out / "tree", {"tally": JOURNAL_BYTES}, heap_bytes)
    device.state.write_text(json.dumps({"nvs": {"tally/key": "b" + KEY.hex()}}))
    return device


def uarts(folder: Path) -> dict[str, object]:
    return {"2": {"tty": str(folder / "dev" / BUS), "de_pin": 4}}


def test_the_tree_as_built_reads_a_bus_and_loses_nothing_over_a_power_cut(tmp_path: Path, capsys):
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        built(site, tmp_path / "out")
        told = json.loads(capsys.readouterr().out.splitlines()[-1])
        assert told["program_bytes"] <= PROGRAM_BYTES, told
        assert told["image_used_bytes"] <= told["image_bytes"] == IMAGE_BYTES
        assert (tmp_path / "out" / "secrets.csv").stat().st_mode & 0o077 == 0
        assert KEY.hex() not in (tmp_path / "out" / "tree" / "config.json").read_text()
        device = device_of(tmp_path / "out", tmp_path / "device")
        with site.emulator(strict=True), site.run_receiver() as receiver:
            for boot in (1, 2):
                wanted = stored(site) + POLLS
                with device.power_on(uarts=uarts(tmp_path), clock={"rtc_unix_ms": None}) as run:
                    assert f" boot {boot} " in run.wait_line("gateway")
                    wait_until(lambda wanted=wanted: stored(site) >= wanted, story(run), 90)
                    run.command("cut")
                    assert run.wait_end()["reason"] == "power_cut"
            assert receiver.stop()[0] == 0
    rows = site_rows(site, device)
    found = judge_cloud(site.cloud, site.ledger)
    assert found.wrong == [] and found.polls >= 20 and found.good > 100
    assert [seq for seq, _ in rows] == list(range(len(rows)))
    events = [entry.body for _, entry in rows if entry.kind == 3]
    causes = [body[1] for body in events if body[0] == "gateway.reset"]
    assert causes == [["cause", "power"], ["cause", "power"]]
    assert [body[0] for body in events].count("journal.cut") == 1


def story(run: Run) -> str:
    return "records arrive\n" + run.story()


def stored(site: Site) -> int:
    if not site.cloud.exists():
        return 0
    with sqlite3.connect(site.cloud) as db:
        try:
            return int(db.execute("SELECT count(*) FROM records").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def site_rows(site: Site, device: Device) -> list:
    """(seq, entry) in the cloud; each is what the device's flash has, byte for byte."""
    flash = NorFlash(JOURNAL_BYTES)
    flash.cells[:] = device.flash.read_bytes()
    store = RingStore(flash, GATEWAY)
    return [(entry.seq, entry) for entry in read_cloud(site.cloud, store.epoch)]


def test_a_device_explains_itself_without_a_configuration_and_takes_a_good_copy(tmp_path: Path):
    site = Site(tmp_path, 1)
    built(site, tmp_path / "out")
    device = device_of(tmp_path / "out", tmp_path / "device")
    (device.root / "config.json").write_bytes(b"{\xff")
    with device.power_on(uarts={"2": {"de_pin": 4, "bus": {"meters": {}}}}) as run:
        run.wait_line("gateway")
        run.command("cut")
        run.wait_end()
    (device.root / "config.bak").write_bytes(b"")
    last = device.run(clock={"virtual": True})
    assert last["reason"] == "reset"
    assert last["lines"][-1].startswith("failed: config.file file=config.json reason=config.json")
    for _ in range(4):
        last = device.run(clock={"virtual": True})
    assert last["reason"] == "reset" and last["lines"][0].startswith("safe mode: 5 starts")
    assert "config.file" in last["lines"][0]
    shutil.copy(tmp_path / "out" / "tree" / "config.json", device.root / "config.json")
    with device.power_on(uarts={"2": {"de_pin": 4, "bus": {"meters": {}}}}) as run:
        assert " boot 2 " in run.wait_line("gateway")


def test_a_damaged_program_is_named_before_a_module_of_it_runs(tmp_path: Path):
    site = Site(tmp_path, 1)
    built(site, tmp_path / "out")
    device = device_of(tmp_path / "out", tmp_path / "device")
    program = device.root / "app.bin"
    whole = program.read_bytes()
    for at in (0, 5, 9, 40, len(whole) // 2, len(whole) - 1):
        program.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        last = device.run()
        assert last["reason"] == "exception", last
        assert "app.bin is" in last["traceback"] and not last["lines"]


def test_a_hang_is_ended_by_the_watchdog_and_told(tmp_path: Path):
    site = Site(tmp_path, 1)
    built(site, tmp_path / "out")
    device = device_of(tmp_path / "out", tmp_path / "device")
    bus = {"2": {"de_pin": 4, "bus": {"meters": {}}}}
    clock = {"virtual": True, "rtc_unix_ms": 1_800_000_000_000}
    main_file = device.root / "main.py"
    whole = main_file.read_text()
    hang = "import edge.app.device as program\nwhole = program.Program.step\n"
    hang += "def step(self):\n    if self.clock.mono_ms() > 5000:\n"
    hang += "        while True: self.board.sleep(10)\n    return whole(self)\n"
    main_file.write_text(
        whole.replace("\nrun()\n", "\n" + hang + "program.Program.step = step\nrun()\n")
    )
    last = device.run(uarts=bus, clock=clock)
    assert last["reason"] == "watchdog", last
    main_file.write_text(whole)
    with device.power_on(uarts=bus, clock=clock, stop_after_ms=20_000) as run:
        run.wait_end()
    flash = NorFlash(JOURNAL_BYTES)
    flash.cells[:] = device.flash.read_bytes()
    store = RingStore(flash, GATEWAY)
    assert any(b"watchdog" in data for data in store.of_kind(3))
