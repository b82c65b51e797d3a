"""Frames of the core over `machine.UART` and a real pty to the emulated bus and its ledger."""

import struct
from pathlib import Path

import pytest

from hil_tests.emulator.ledger import read_replies
from hil_tests.link_master import BAUD, bus
from hil_tests.micropython.device import Device, compile_tree
from hil_tests.ptys import play

pytestmark = pytest.mark.system

EDGE = Path(__file__).resolve().parents[2] / "edge"
READS = 60
DE_PIN = 4

MASTER = """
import time
from edge.core.bus.rtu import bytes_missing, decode_read_reply, encode_read
from machine import UART, Pin
uart = UART(2, BAUD, tx=17, rx=16, timeout=0)
drive = Pin(4, Pin.OUT, value=0)
def read(station, count, hold_ms=0):
    request = encode_read(station, 3, 0, count)
    drive.on()
    uart.write(request)
    uart.flush()
    if hold_ms: time.sleep_ms(hold_ms)
    drive.off()
    reply = b""
    until = time.ticks_add(time.ticks_ms(), 300)
    while time.ticks_diff(until, time.ticks_ms()) > 0:
        reply += uart.read() or b""
        if len(reply) >= 5 and not bytes_missing(request, reply):
            break
        time.sleep_ms(1)
    time.sleep_ms(3)
    return decode_read_reply(request, reply) if reply else None
"""


@pytest.fixture
def device(tmp_path: Path) -> Device:
    tree = tmp_path / "tree"
    packages = [EDGE, EDGE / "core", EDGE / "core" / "bus", EDGE / "core" / "errors"]
    files = [EDGE / "core" / "bus" / "rtu.py", *(folder / "__init__.py" for folder in packages)]
    compile_tree(EDGE.parent, tree, files)
    return Device(tmp_path / "device", tree)


def test_every_reply_is_what_the_station_served(device: Device, tmp_path: Path) -> None:
    device.write(
        "main.py",
        MASTER.replace("BAUD", str(BAUD))
        + f"for turn in range({READS}):\n    for station in (1, 2): print(read(station, 4))\n",
    )
    with play(tmp_path, bus(), ledger_path=tmp_path / "ledger.db") as emulator:
        tty = {"tty": emulator.ports["b"], "de_pin": DE_PIN}
        last = device.run(uarts={"2": tty})
    assert len(last["lines"]) == 2 * READS
    for station in (1, 2):
        heard = [line for line in last["lines"][station - 1 :: 2] if line != "None"]
        # On a busy machine a reply may come too late; none is ever taken for another's.
        assert len(heard) >= READS * 9 // 10
        served = iter(
            str(struct.unpack(">4H", reply.registers))
            for reply in read_replies(tmp_path / "ledger.db", "b", station)
            if reply.registers is not None
        )
        assert all(line in served for line in heard)
    faults = ("sent_without_de", "de_released_early", "lost_while_driving", "overruns")
    assert [last["serial"][name] for name in faults] == [0, 0, 0, 0]


def test_a_driver_that_is_never_on_or_too_long_is_heard_of(device: Device, tmp_path: Path) -> None:
    device.write(
        "main.py",
        MASTER.replace("BAUD", str(BAUD)) + "print(read(1, 4, 100))\n"
        "class Nothing:\n"
        "    def on(self): pass\n"
        "    off = on\n"
        "drive = Nothing()\n"
        "print(read(1, 4))\n",
    )
    with play(tmp_path, bus()) as emulator:
        tty = {"tty": emulator.ports["b"], "de_pin": DE_PIN}
        last = device.run(uarts={"2": tty})
        heard = emulator.summary()["b"]["stations"].get("1", {})
    assert last["lines"] == ["None", "None"]
    assert last["serial"]["lost_while_driving"] == 13 and last["serial"]["sent_without_de"] == 1
    assert heard == {"clean": 1}


def test_a_port_that_is_not_there_is_an_error_of_the_board(device: Device) -> None:
    device.write("main.py", MASTER.replace("BAUD", str(BAUD)))
    last = device.run()
    assert last["reason"] == "exception" and "ENODEV" in last["traceback"]
