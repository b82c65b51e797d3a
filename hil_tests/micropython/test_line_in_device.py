"""The gateway's line on `machine.UART` and a real pty, to the emulated bus and its ledger."""

import struct
from pathlib import Path

import pytest

from edge.app.cli.build_tree import needed_modules
from hil_tests.emulator.ledger import read_replies
from hil_tests.link_master import BAUD, bus
from hil_tests.micropython.device import Device, compile_tree
from hil_tests.micropython.twins import ROOT
from hil_tests.ptys import play

pytestmark = pytest.mark.system

READS = 60
DE_PIN = 4

#: A station that is late on a busy machine is not what this is about.
TIMEOUT_MS = 10_000
HELD_MS = 1_500

LINE = f"""
import time
from edge.core.bus.plan import line_timing
from edge.core.bus.rtu import decode_read_reply, encode_read
from edge.ports.esp32.ticks import Ticks
from edge.ports.esp32.uart_link import UartLink
from machine import UART, Pin
uart = UART(2, {BAUD}, tx=17, rx=16, rxbuf=512, timeout=0)
drive = Pin({DE_PIN}, Pin.OUT, value=0)
"""
MASTER = f"""
ticks = Ticks(time.ticks_ms, time.ticks_us, time.ticks_diff)
link = UartLink(uart, drive, line_timing({BAUD}, 10), ticks)
def read(station, count):
    request = encode_read(station, 3, 0, count)
    link.start(request, {TIMEOUT_MS})
    while True:
        reply = link.poll()
        if reply is not None:
            return decode_read_reply(request, reply)
        time.sleep_ms(1)
"""


@pytest.fixture
def device(tmp_path: Path) -> Device:
    tree = tmp_path / "tree"
    modules = needed_modules(("edge.ports.esp32.uart_link", "edge.core.bus.plan"))
    compile_tree(ROOT, tree, modules.values())
    return Device(tmp_path / "device", tree)


def test_every_reply_is_what_the_station_served(device: Device, tmp_path: Path) -> None:
    device.write(
        "main.py",
        LINE
        + MASTER
        + f"for turn in range({READS}):\n    for station in (1, 2): print(read(station, 4))\n",
    )
    with play(tmp_path, bus(), ledger_path=tmp_path / "ledger.db", in_bursts=True) as emulator:
        tty = {"tty": emulator.ports["b"], "de_pin": DE_PIN}
        last = device.run(uarts={"2": tty})
    assert len(last["lines"]) == 2 * READS
    for station in (1, 2):
        served = [
            str(struct.unpack(">4H", reply.registers or b""))
            for reply in read_replies(tmp_path / "ledger.db", "b", station)
        ]
        assert last["lines"][station - 1 :: 2] == served
    faults = ("sent_without_de", "de_released_early", "lost_while_driving", "overruns")
    assert [last["serial"][name] for name in faults] == [0, 0, 0, 0]


def test_a_driver_that_is_never_on_or_too_long_is_heard_of(device: Device, tmp_path: Path) -> None:
    device.write(
        "main.py",
        LINE + "drive.on()\n"
        "uart.write(encode_read(1, 3, 0, 4))\n"
        "uart.flush()\n"
        f"time.sleep_ms({HELD_MS})\n"
        "drive.off()\n"
        "print(uart.read())\n"
        "uart.write(encode_read(1, 3, 0, 4))\n"
        f"time.sleep_ms({HELD_MS})\n"
        "print(uart.read())\n",
    )
    with play(tmp_path, bus()) as emulator:
        tty = {"tty": emulator.ports["b"], "de_pin": DE_PIN}
        last = device.run(uarts={"2": tty})
        heard = emulator.summary()["b"]["stations"].get("1", {})
    assert last["lines"] == ["None", "None"]
    assert last["serial"]["lost_while_driving"] == 13 and last["serial"]["sent_without_de"] == 1
    assert heard == {"clean": 1}


def test_a_port_that_is_not_there_is_an_error_of_the_board(device: Device) -> None:
    device.write("main.py", LINE)
    last = device.run()
    assert last["reason"] == "exception" and "ENODEV" in last["traceback"]
