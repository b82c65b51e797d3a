"""What `carbontally build esp32` makes, started as it is: bus, journal on flash, broker, cloud."""

import shutil
from pathlib import Path

import pytest

from edge.core.journal.record import Kind
from hil_tests.micropython.built import (
    EMPTY_BUS,
    board_with,
    built,
    journal_of,
    stored,
    story,
    uarts,
)
from hil_tests.site import KEY, Site
from hil_tests.witness import judge_cloud, read_cloud
from tests.contract.brokers import mosquitto, wait_until

pytestmark = pytest.mark.system

POLLS = 60
#: Of the whole program in bytes; see docs/esp32.md.
PROGRAM_BYTES = 122_880
IMAGE_BYTES = 0x40000


def test_what_is_built_fits_the_flash_and_keeps_its_secrets_apart():
    out, told = built()
    assert told["program_bytes"] <= PROGRAM_BYTES, told
    assert told["image_used_bytes"] <= told["image_bytes"] == IMAGE_BYTES
    assert (out / "secrets.csv").stat().st_mode & 0o077 == 0
    assert KEY.hex() not in (out / "tree" / "config.json").read_text()


def test_the_tree_as_built_reads_a_bus_and_loses_nothing_over_a_power_cut(tmp_path: Path):
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        device = board_with(built(), tmp_path / "device", site.broker)
        with site.emulator(strict=True), site.run_receiver() as receiver:
            for boot in (1, 2):
                wanted = stored(site) + POLLS
                with device.power_on(uarts=uarts(tmp_path), clock={"rtc_unix_ms": None}) as run:
                    assert f" boot {boot} " in run.wait_line("gateway")
                    wait_until(lambda wanted=wanted: stored(site) >= wanted, story(run), 90)
                    run.command("cut")
                    assert run.wait_end()["reason"] == "power_cut"
            assert receiver.stop()[0] == 0
    rows = read_cloud(site.cloud, journal_of(device).epoch)
    found = judge_cloud(site.cloud, site.ledger)
    assert found.wrong == [] and found.polls >= 20 and found.good > 100
    assert [entry.seq for entry in rows] == list(range(len(rows)))
    events = [entry.body for entry in rows if entry.kind == Kind.EVENT]
    causes = [body[1] for body in events if body[0] == "gateway.reset"]
    assert causes == [["cause", "power"], ["cause", "power"]]
    assert [body[0] for body in events].count("journal.cut") == 1


def test_a_device_explains_itself_without_a_configuration_and_takes_a_good_copy(tmp_path: Path):
    device = board_with(built(), tmp_path / "device")
    (device.root / "config.json").write_bytes(b"{\xff")
    with device.power_on(uarts=EMPTY_BUS) as run:
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
    shutil.copy(built().out / "tree" / "config.json", device.root / "config.json")
    with device.power_on(uarts=EMPTY_BUS) as run:
        assert " boot 2 " in run.wait_line("gateway")


def test_a_damaged_program_is_named_before_a_module_of_it_runs(tmp_path: Path):
    device = board_with(built(), tmp_path / "device")
    program = device.root / "app.bin"
    whole = program.read_bytes()
    for at in (0, 5, 9, 40, len(whole) // 2, len(whole) - 1):
        program.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        last = device.run()
        assert last["reason"] == "exception", last
        assert "app.bin is" in last["traceback"] and not last["lines"]


def test_a_hang_is_ended_by_the_watchdog_and_told(tmp_path: Path):
    device = board_with(built(), tmp_path / "device")
    clock = {"virtual": True, "rtc_unix_ms": 1_800_000_000_000}
    main_file = device.root / "main.py"
    whole = main_file.read_text()
    hang = "import edge.app.device as program\nwhole = program.Program.step\n"
    hang += "def step(self):\n    if self.clock.mono_ms() > 5000:\n"
    hang += "        while True: self.board.sleep(10)\n    return whole(self)\n"
    main_file.write_text(
        whole.replace("\nrun()\n", "\n" + hang + "program.Program.step = step\nrun()\n")
    )
    last = device.run(uarts=EMPTY_BUS, clock=clock)
    assert last["reason"] == "watchdog", last
    main_file.write_text(whole)
    with device.power_on(uarts=EMPTY_BUS, clock=clock, stop_after_ms=20_000) as run:
        run.wait_end()
    assert any(b"watchdog" in data for data in journal_of(device).of_kind(Kind.EVENT))
