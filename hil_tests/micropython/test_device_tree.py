"""What `carbontally build esp32` makes, started as it is: bus, journal on flash, broker, cloud."""

import json
import random
import shutil
from pathlib import Path

import pytest

from edge.app.cli.names import explain_line, read_meanings
from edge.core.journal.record import Kind
from edge.ports.esp32.config_file import read_copies, write_copies
from hil_tests.micropython.built import (
    BOARD,
    EMPTY_BUS,
    HEAP_BYTES,
    PSRAM_BOARD,
    PSRAM_HEAP_BYTES,
    board_with,
    built,
    journal_of,
    stored,
    story,
    uarts,
)
from hil_tests.micropython.device import Device
from hil_tests.site import KEY, Site
from hil_tests.witness import decode_entry, judge_cloud, read_cloud
from tests.contract.brokers import mosquitto, wait_until

pytestmark = pytest.mark.system

POLLS = 60
#: As `edge.app.starting` has it, which only a board can import.
CRASHES_MAX = 5
CUTS = 8
SET_CLOCK = {"virtual": True, "rtc_unix_ms": 1_800_000_000_000}
#: Of the whole program in bytes; see docs/esp32.md.
PROGRAM_BYTES = 122_880
IMAGE_BYTES = 0x18000


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
    whole = (built().out / "tree" / "config.json").read_bytes()
    assert (device.root / "config.json").read_bytes() == whole, "it was written anew"
    assert reset_events(device)[0]["config"].startswith("config.json: ")
    (device.root / "config.json").write_bytes(b"{\xff")
    (device.root / "config.bak").write_bytes(b"")
    last = device.run(clock={"virtual": True})
    assert last["reason"] == "reset"
    assert last["lines"][-1].startswith("failed: config.file file=config.json reason=config.json")
    for _ in range(CRASHES_MAX):
        last = device.run(clock={"virtual": True})
    assert last["reason"] == "reset" and last["lines"][0].startswith("safe mode: 5 starts")
    assert "config.file" in last["lines"][0]
    (device.root / "config.json").write_bytes(whole)
    with device.power_on(uarts=EMPTY_BUS) as run:
        assert " boot 2 " in run.wait_line("gateway")


def test_a_damaged_program_is_named_before_a_module_of_it_runs(tmp_path: Path):
    for board, heap_bytes, said in (
        (BOARD, HEAP_BYTES, "romfs is damaged"),
        (PSRAM_BOARD, PSRAM_HEAP_BYTES, "app.bin is"),
    ):
        device = board_with(built(board=board), tmp_path / board.name, None, heap_bytes)
        program = device.rom or device.root / "app.bin"
        whole = program.read_bytes()
        for at in (0, 4, len(whole) // 2, len(whole) - 1):
            program.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            last = device.run()
            assert last["reason"] == "exception", last
            assert said in last["traceback"] and not last["lines"], at


def test_what_opens_the_program_is_checked_before_it_runs(tmp_path: Path):
    for board, heap_bytes, opener in (
        (BOARD, HEAP_BYTES, "rom.mpy"),
        (PSRAM_BOARD, PSRAM_HEAP_BYTES, "bundle.mpy"),
    ):
        device = board_with(built(board=board), tmp_path / board.name, None, heap_bytes)
        path = device.root / opener
        whole = path.read_bytes()
        for at in (0, len(whole) // 2, len(whole) - 1):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 16]) + whole[at + 1 :])
            last = device.run()
            assert last["reason"] == "exception" and not last["lines"], last
            assert f"{opener} is damaged: flash files.img again" in last["traceback"]


def test_a_firmware_of_another_version_of_the_bytecode_is_refused_before_anything_is_loaded(
    tmp_path: Path,
):
    device = board_with(built(), tmp_path / "device")
    text = (device.root / "main.py").read_text()
    assert text.count("& 0xFF != 6:") == 1
    device.write("main.py", text.replace("& 0xFF != 6:", "& 0xFF != 7:"))
    (device.root / "rom.mpy").write_bytes(b"M\x07 not for this firmware")
    last = device.run()
    assert last["reason"] == "exception" and not last["lines"], last
    assert "this firmware does not run .mpy of version" in last["traceback"]


def test_images_of_two_builds_are_told_with_a_code(tmp_path: Path):
    """Each of the files that belong together is of another build in turn."""
    config = json.loads((built().out / "tree" / "config.json").read_text().splitlines()[0])
    other = {**config, "program": "c0ffee00"}
    device = board_with(built(), tmp_path / "config")
    write_copies(other, f"{device.root}/")
    last = device.run(clock={"virtual": True})
    assert last["reason"] == "reset", last
    expected = f"expected={config['program']} file=config.json found=c0ffee00"
    assert last["lines"] == [f"failed: config.build {expected}"]
    for board, heap_bytes in ((BOARD, HEAP_BYTES), (PSRAM_BOARD, PSRAM_HEAP_BYTES)):
        device = board_with(built(board=board), tmp_path / board.name, None, heap_bytes)
        path = device.root / "main.py"
        program = read_copies(f"{device.root}/")[0]["program"]
        assert path.read_text().count(program) == 2
        path.write_text(path.read_text().replace(program, "c0ffee00"))
        last = device.run()
        assert last["reason"] == "exception" and "config.build: " in last["traceback"], last


def test_a_firmware_that_can_not_run_the_program_in_place_is_told_apart(tmp_path: Path):
    device = board_with(built(), tmp_path / "device")
    device.rom = None
    assert "built without ROMFS" in device.run()["traceback"]


def test_a_board_with_psram_has_the_program_in_its_heap_and_goes_on_with_its_journal(
    tmp_path: Path,
):
    device = board_with(built(board=PSRAM_BOARD), tmp_path / "device", None, PSRAM_HEAP_BYTES)
    clock = {"virtual": True, "rtc_unix_ms": 1_800_000_000_000}
    for boot in (1, 2):
        last = device.run(uarts={"1": {"bus": {"meters": {}}}}, clock=clock, stop_after_ms=15_000)
        assert last["reason"] == "time" and f" boot {boot} " in last["lines"][0], last


def test_a_fault_of_the_program_is_told_in_names_that_the_build_explains(tmp_path: Path):
    made = built(added="\nProgram.step = lambda self: self.no_such_thing\n")
    known = read_meanings(made.out / "names.json")
    last = board_with(made, tmp_path / "device").run(uarts=EMPTY_BUS, clock=SET_CLOCK)
    assert last["reason"] == "reset" and "failed: AttributeError" in last["lines"][-1], last
    found = explain_line(last["lines"][-1], known)
    assert any("edge.app.program.Program" in meant for meant in found.values()), found


#: What is added to `edge.app.device`.
HANGS = {
    "the loop": """
whole = Program.step
def step(self):
    while self.board.clock.mono_ms() > 5000: self.board.sleep(10)
    return whole(self)
Program.step = step
""",
    "polling": """
from edge.ports.esp32.uart_link import UartLink
UartLink.poll = lambda self: None
""",
    "connecting": """
from edge.ports.mqtt_uplink import MQTTUplink
MQTTUplink.check_msg = lambda self: 0
""",
    "syncing": """
from edge.app.uploader import Uploader
import edge.app.progress
edge.app.progress.DEAF_MAX_MS = 10_000
Uploader.step = lambda self, now_ms, flush=False: []
""",
    "committing": """
from edge.app.recorder import Recorder
whole_commit = Recorder.commit
calls = []
def commit(self, *rest):
    calls.append(0)
    return None if len(calls) > 30 else whole_commit(self, *rest)
Recorder.commit = commit
""",
}
LONGEST_HANG_MS = 200_000


def test_whatever_hangs_is_ended_by_the_watchdog_and_told_and_nothing_is_lost(tmp_path: Path):
    device = board_with(built(), tmp_path / "device")
    rows: list = []
    for hang in HANGS.values():
        begin_with(device, hang)
        last = device.run(uarts=EMPTY_BUS, clock=SET_CLOCK, stop_after_ms=LONGEST_HANG_MS)
        assert last["reason"] == "watchdog", (hang, last)
        rows = kept_and_more(device, rows)
    begin_with(device, "")
    device.run(uarts=EMPTY_BUS, clock=SET_CLOCK, stop_after_ms=20_000)
    kept_and_more(device, rows)
    causes = reset_events(device)
    assert [fields["cause"] for fields in causes] == ["power"] + ["watchdog"] * len(HANGS)


def begin_with(device: Device, code: str) -> None:
    """Give it a program with this in it; nothing answers, so nobody has to look for it often."""
    made = built(added="\nimport edge.app.program\nedge.app.program.BUSY_MS = 50\n" + code)
    shutil.copytree(made.out / "tree", device.root, dirs_exist_ok=True)
    assert device.rom is not None
    device.rom.write_bytes((made.out / "romfs.img").read_bytes())


def kept_and_more(device: Device, before: list) -> list:
    """All rows of the journal, which begins with those of before."""
    journal = journal_of(device)
    rows: list = journal.read(0, journal.next_seq - 1)
    assert rows[: len(before)] == before and len(rows) > len(before)
    return rows


def reset_events(device: Device) -> list[dict]:
    """What each start has recorded of the one before it."""
    bodies = [decode_entry(data).body for data in journal_of(device).of_kind(Kind.EVENT)]
    flat = [fields for code, fields in bodies if code == "gateway.reset"]
    return [dict(zip(fields[::2], fields[1::2], strict=True)) for fields in flat]


def test_power_that_fails_again_and_again_never_ends_in_safe_mode(tmp_path: Path):
    """Cuts at any point of a start: between two lines, in the first programs and erases, later."""
    device = board_with(built(), tmp_path / "device")
    begin_with(device, "")
    moments = random.Random(20261126)
    rows: list = []
    for number in range(CUTS):
        if number % 2:
            plan = {"cut": (moments.randrange(1, 12), moments.choice(("half", "garbage")))}
        else:
            plan = {"stop_after_ms": int(10 ** moments.uniform(0, 4.7))}
        last = device.run(uarts=EMPTY_BUS, clock=SET_CLOCK, **{"stop_after_ms": 59_000, **plan})
        assert last["reason"] in ("time", "power_cut"), last
        assert not any(line.startswith("safe mode") for line in last["lines"]), last
        journal = journal_of(device)
        now = journal.read(0, journal.next_seq - 1)
        assert now[: len(rows)] == rows, "what was committed stays"
        rows = now
    assert CUTS > CRASHES_MAX
    device.run(uarts=EMPTY_BUS, clock=SET_CLOCK, stop_after_ms=60_000)
    kept_and_more(device, rows)
    assert {fields["cause"] for fields in reset_events(device)} == {"power"}
