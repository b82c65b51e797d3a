"""The part of `hil` that runs the whole gateway: what `build esp32` makes, on a board, to a cloud.

The board polls the factory's stations over the real RS-485 adapter; broker and receiver run here,
and the emulator's ledger judges what has arrived. Program, secrets and journal of the board are
written over, and afterwards it is left without a program.
"""

import contextlib
import io
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import serial

from edge.__main__ import main
from edge.core.errors import DataError
from edge.core.errors.table import printable
from edge.ports.esp32.config_file import read_copies
from hil_tests.demo.broker import HOST, EmbeddedBroker, free_port
from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.scenario import FACTORY_DAY, read_scenario
from hil_tests.micropython.built import silent_devices, stored
from hil_tests.site import FACTORY, KEY, Site
from hil_tests.witness import judge_cloud

POLL_MS = 3_000
RECORDS = 60
#: To begin, and to bring so many records; a poll of the factory takes a second of a wire.
ARRIVE_S = 300
SILENCE_S = 60
LOOK_S = 0.1
CONSOLE_BAUD = 115_200
SAID_CHARS = 200
#: How far the clocks of board and host may be apart.
APART_MS = 1_500
COPY_TIMEOUT_S = 600
#: RFC 5737: of no network.
ELSEWHERE = ("192.0.2.1", 9)

ERASE = """
import esp32
found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=PARTITION)[0]
for block in range(found.ioctl(4, 0)): found.ioctl(6, block)
"""
KEEP_SECRETS = """
import esp32
nvs = esp32.NVS("tally")
for name, value in SECRETS: nvs.set_blob(name, value)
nvs.commit()
"""
LEAVE = """
import esp32, os
nvs = esp32.NVS("tally")
for name in NAMES:
    try: nvs.erase_key(name)
    except OSError: pass
nvs.commit()
for name in ("main.py", "boot.py"):
    try: os.remove(name)
    except OSError: pass
"""

#: (mpremote's arguments, seconds) -> what it prints
Ask = Callable[..., str]


class Wifi(NamedTuple):
    """name: "" for a board that needs none; key: its password."""

    name: str
    key: str


class GatewayFindings(NamedTuple):
    """records: in the cloud; readings: good ones; wrong: not as served; lost: replies without."""

    records: int
    readings: int
    wrong: int
    lost: int


def judge_gateway(
    ask: Ask, ports: tuple[str, str], board: Path, address: str, wifi: Wifi, folder: Path
) -> GatewayFindings:
    """Build, flash, boot, poll, sync, judge. ports: of the board's console and of the adapter.

    address: of this machine, as the board reaches it. Raises DataError "hil.start".
    """
    console, adapter = ports
    site = _site(folder, address)
    out = folder / "out"
    _build(site, board, out, wifi.name)
    broker = EmbeddedBroker(int(site.broker.rpartition(":")[2]), address)
    broker.start()
    try:
        with site.run_receiver() as receiver, _emulator(site, adapter) as emulator:
            _flash(ask, out, wifi)
            try:
                _bring(console, site, emulator)
            finally:
                ask("exec", LEAVE.replace("NAMES", repr(("key", "wifi"))))
                ask("reset")
            receiver.stop()
    finally:
        broker.stop()
    found = judge_cloud(site.cloud, site.ledger, apart_ms=APART_MS)
    return GatewayFindings(stored(site), found.good, len(found.wrong), sum(found.unheard.values()))


def own_address() -> str:
    """Of this machine, towards the network that it reaches others by; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(ELSEWHERE)
        except OSError:
            return HOST
        return str(probe.getsockname()[0])


def _site(folder: Path, address: str) -> Site:
    site = Site(folder, free_port(), poll_ms=POLL_MS, baud=9600)
    port = site.broker.rpartition(":")[2]
    site.broker = f"mqtt://{address}:{port}"
    site.document["uplink"]["broker"] = site.broker
    site.document["accounting"]["interval_s"] = 60
    site.document["bus"][0].update({"port": "bus0", "reply_timeout_ms": 1000})
    site.write()
    return site


def _build(site: Site, board: Path, out: Path, wifi: str) -> None:
    options = ["-b", str(board), "-c", str(site.config), "-o", str(out), "--json", "--ntp", ""]
    options += ["--wifi", wifi] if wifi else []
    with contextlib.redirect_stdout(io.StringIO()):
        assert main(["build", "esp32", *options]) == 0, "the site of this test builds"


def _emulator(site: Site, adapter: str) -> Emulator:
    """The factory day at the adapter."""
    text = FACTORY_DAY.read_text().replace(
        "baud = 9600", f"baud = 9600\nport = {json.dumps(adapter)}"
    )
    path = site.folder / "scenario.toml"
    path.write_text(text)
    return Emulator(read_scenario(path), site.ledger, speed=60)


def _flash(ask: Ask, out: Path, wifi: Wifi) -> None:
    """Everything that a flashed board has, through its prompt; its clock is this machine's."""
    secrets = [("key", KEY)] + ([("wifi", wifi.key.encode())] if wifi.name else [])
    config, _ = read_copies(f"{out / 'tree'}/")
    ask("exec", ERASE.replace("PARTITION", repr(config["board"]["partition"])))
    ask("exec", KEEP_SECRETS.replace("SECRETS", repr(secrets)))
    if (out / "romfs.img").exists():
        ask("romfs", "deploy", str(out / "romfs.img"), timeout_s=COPY_TIMEOUT_S)
    # main.py is the last, so that a board that is switched off meanwhile starts nothing.
    for path in sorted((out / "tree").iterdir(), key=lambda path: path.name == "main.py"):
        ask("fs", "cp", str(path), f":{path.name}", timeout_s=COPY_TIMEOUT_S)
    with _utc():
        ask("rtc", "--set")
    ask("reset")


@contextlib.contextmanager
def _utc() -> Iterator[None]:
    """mpremote sets the local time."""
    before = os.environ.get("TZ")
    os.environ["TZ"] = "UTC"
    try:
        yield
    finally:
        del os.environ["TZ"]
        if before is not None:
            os.environ["TZ"] = before


def _bring(console: str, site: Site, emulator: Emulator) -> None:
    """Until the records are in the cloud, and after them polls of stations that fell silent."""
    with listening(console) as said:
        wait_for(lambda: stored(site) >= RECORDS, ARRIVE_S, console, said)
        emulator.fall_silent()
        silent_ms = time.time_ns() // 1_000_000 + APART_MS
        every = len(FACTORY)
        wait_for(lambda: silent_devices(site, silent_ms) == every, SILENCE_S, console, said)


@contextlib.contextmanager
def listening(console: str) -> Iterator[Callable[[], str]]:
    """What the board says on its console; the last of it."""
    heard = bytearray()
    with serial.Serial(console, CONSOLE_BAUD, timeout=0) as port:

        def last() -> str:
            heard.extend(port.read(4096))
            del heard[:-4096]
            lines = heard.decode("utf-8", "replace").strip().splitlines()
            return printable(lines[-1])[:SAID_CHARS] if lines else "it says nothing"

        yield last


def wait_for(
    is_there: Callable[[], Any], deadline_s: float, console: str, said: Callable[[], str]
) -> None:
    """Wait; DataError "hil.start", with what the board has said, after the time."""
    end_s = time.monotonic() + deadline_s
    reason = said()
    while not is_there():
        if time.monotonic() > end_s:
            seconds = f"{deadline_s:g}"
            raise DataError("hil.start", port=console, seconds=seconds, reason=reason)
        reason = said()
        time.sleep(LOOK_S)
