"""A board on which everything around the program fails: it polls all the same, or begins anew."""

import json
from pathlib import Path

import paho.mqtt.publish
import pytest

from edge.core.journal.record import Kind
from edge.ports.esp32.config_file import read_copies, write_copies
from hil_tests.micropython.built import BACKLOG_HEAP_BYTES, board_with, journal_of, stored
from hil_tests.micropython.day import START_MS, virtual_meters, workload
from hil_tests.micropython.device import Device
from hil_tests.site import GATEWAY, TENANT, Site
from tests.contract.brokers import HOST, mosquitto

pytestmark = pytest.mark.system

RUN_MS = 70_000
CLOCK = {"virtual": True, "rtc_unix_ms": START_MS}
BUS = {"2": {"de_pin": 4, "bus": {"turnaround_ms": 20, "meters": virtual_meters()}}}
LARGE_BYTES = 60_000

#: boot.py of a board on which it still polls, as what fails is not needed for that.
ENDURED = {
    "NVS takes no value any more": """
import esp32
def set_blob(self, name, value): raise OSError(-4357)
esp32.NVS.set_blob = set_blob
""",
    "the Wi-Fi has no memory": """
import network
def connect(self, *rest): raise RuntimeError("Wifi Unknown Error 0x0101")
network.WLAN.connect = connect
""",
    "the Wi-Fi does not start": """
import network
def active(self, wanted=None): raise OSError("WiFi Out of Memory")
network.WLAN.active = active
""",
    "names can't be looked up": """
import socket
def getaddrinfo(*rest): raise OSError(-202)
socket.getaddrinfo = getaddrinfo
""",
}

#: boot.py of a board that has to begin anew, and what it says.
RESETS = {
    "no memory for the configuration": (
        """
import os
def stat(path): raise MemoryError("memory allocation failed")
os.stat = stat
""",
        ["failed: MemoryError memory allocation failed"],
    ),
    "no memory to say what failed": (
        """
import time
class Mute(Exception):
    def __str__(self): raise MemoryError()
def sleep_ms(ms): raise Mute()
time.sleep_ms = sleep_ms
""",
        [],
    ),
}


def on_wifi(folder: Path) -> Device:
    """A board that has a Wi-Fi to join, and stations on its bus."""
    device = board_with(workload(), folder / "device")
    config, _ = read_copies(f"{device.root}/")
    write_copies({**config, "wifi": "PARK"}, f"{device.root}/")
    return device


@pytest.mark.parametrize("trouble", sorted(ENDURED))
def test_what_polling_does_not_need_may_fail(tmp_path: Path, trouble: str):
    device = on_wifi(tmp_path)
    device.write("boot.py", ENDURED[trouble])
    last = device.run(uarts=BUS, clock=CLOCK, stop_after_ms=RUN_MS)
    assert last["reason"] == "time", last
    journal = journal_of(device)
    kinds = [data[1] for data, _ in journal.read(0, journal.next_seq - 1)]
    assert kinds.count(Kind.POLL) == 2 * len(virtual_meters()), last


@pytest.mark.parametrize("trouble", sorted(RESETS))
def test_what_ends_a_start_is_followed_by_another(tmp_path: Path, trouble: str):
    device = on_wifi(tmp_path)
    code, said = RESETS[trouble]
    device.write("boot.py", code)
    last = device.run(uarts=BUS, clock=CLOCK, stop_after_ms=RUN_MS)
    assert last["reason"] == "reset", last
    assert [line for line in last["lines"] if not line.startswith("gateway")] == said
    device.write("boot.py", "")
    last = device.run(uarts=BUS, clock=CLOCK, stop_after_ms=RUN_MS)
    assert last["reason"] == "time", last


def test_a_reason_that_was_cut_within_a_letter_ends_no_start(tmp_path: Path):
    device = board_with(workload(), tmp_path / "device")
    kept = json.loads(device.state.read_text())
    kept["nvs"]["tally/why"] = "b" + "config.file reason=三".encode()[:-1].hex()
    device.state.write_text(json.dumps(kept))
    last = device.run(uarts=BUS, clock=CLOCK, stop_after_ms=1000)
    assert last["reason"] == "time", last


def test_a_message_larger_than_the_heap_ends_no_start(tmp_path: Path):
    """Whoever may publish there could have it begin anew with each session."""
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        device = board_with(workload(), tmp_path / "device", site.broker, BACKLOG_HEAP_BYTES)
        topic = f"carbontally/v1/{TENANT}/{GATEWAY}/ack"
        paho.mqtt.publish.single(topic, bytes(LARGE_BYTES), 1, True, HOST, broker.port)
        plan = {"uarts": BUS, "clock": CLOCK, "quiet_ms": 60}
        with site.run_receiver() as receiver:
            last = device.run(stop_after_ms=RUN_MS, **plan)
            assert last["reason"] == "time" and len(last["lines"]) == 1, last
            assert receiver.stop()[0] == 0
        assert stored(site) > len(virtual_meters())
