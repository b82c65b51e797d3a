"""What `carbontally build esp32` makes of a site's gateway, on a simulated board.

It is built once per process; the broker, which differs from test to test, is written into the
configuration of the board as it is switched on.
"""

import atexit
import contextlib
import functools
import io
import json
import shutil
import sqlite3
import tempfile
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import urlsplit

from edge.__main__ import main
from edge.app.cli import build as build_verb
from edge.app.cli.build_plan import encode_plan
from edge.app.cli.build_tree import needed_modules
from edge.app.config import Broker
from edge.app.gateway_plan import decode_plan
from edge.ports.esp32.config_file import read_copies, write_copies
from edge.ports.esp32.ring_store import RingStore
from hil_tests.micropython.device import Device, Run
from hil_tests.micropython.twins import ROOT
from hil_tests.site import BUS, GATEWAY, KEY, Site
from tests.unit.flash_doubles import NorFlash

BOARD = ROOT / "boards" / "esp32_devkitc_max485"
#: The program runs in place. How little is enough is measured by `bench esp32`; these tests are
#: about something else.
HEAP_BYTES = 384 * 1024
#: What is enough to start and to go on with a journal, and what for a day with sync: bounds that
#: may only go down. `bench esp32` looks for the least.
START_HEAP_BYTES = 92 * 1024
LEAN_HEAP_BYTES = 96 * 1024
#: What is enough to send the backlog of hours as well.
BACKLOG_HEAP_BYTES = 96 * 1024
#: A board with PSRAM, for a firmware as it comes: the program is in the heap as well.
PSRAM_BOARD = ROOT / "boards" / "esp32s3_rs485_auto"
PSRAM_HEAP_BYTES = 448 * 1024
JOURNAL_BYTES = 0xB0000
#: A station that is late on a busy machine is not what these tests are about.
REPLY_TIMEOUT_MS = 5000


class Built(NamedTuple):
    """out: the folder that `build` made; told: what it said of it."""

    out: Path
    told: dict[str, Any]


def build(site: Site, out: Path, board: Path = BOARD) -> Built:
    """Build the site's gateway for a board, its bus on the board's own port."""
    site.document["bus"][0]["port"] = "bus0"
    site.write()
    options = ["-b", str(board), "-c", str(site.config), "-o", str(out), "--json", "--ntp", ""]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert main(["build", "esp32", *options]) == 0
    return Built(out, json.loads(said.getvalue().splitlines()[-1]))


@functools.cache
def built(
    change: Callable[[Site], None] = lambda site: None, board: Path = BOARD, added: str = ""
) -> Built:
    """The gateway of `Site`, after `change`; its broker is nowhere yet.

    added: to the text of `edge.app.device`: a device knows its modules and names no more.
    """
    folder = Path(tempfile.mkdtemp(prefix="built_"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    site = Site(folder, 1)
    site.document["bus"][0]["reply_timeout_ms"] = REPLY_TIMEOUT_MS
    change(site)
    modules = needed_modules(build_verb.ENTRIES)
    changed = folder / "device.py"
    changed.write_text(modules["edge.app.device"].read_text() + added)
    with patch.object(
        build_verb, "needed_modules", lambda _: {**modules, "edge.app.device": changed}
    ):
        return build(site, folder / "out", board)


def board_with(
    made: Built, folder: Path, broker: str | None = None, heap_bytes: int = HEAP_BYTES
) -> Device:
    """A board with the files, and with the secrets in its NVS. broker: URL, None for nowhere."""
    rom = made.out / "romfs.img"
    device = Device(
        folder,
        made.out / "tree",
        {"tally": JOURNAL_BYTES},
        heap_bytes,
        rom if rom.exists() else None,
    )
    device.state.write_text(json.dumps({"nvs": {"tally/key": "b" + KEY.hex()}}))
    if broker is not None:
        config, _ = read_copies(f"{device.root}/")
        plan = decode_plan(a2b_base64(config["plan"]))
        url = urlsplit(broker)
        there = Broker(url.hostname, url.port, url.scheme == "mqtts")
        moved = encode_plan(plan._replace(broker=there))
        config["plan"] = b2a_base64(moved, newline=False).decode("ascii")
        write_copies(config, f"{device.root}/")
    return device


def uarts(folder: Path) -> dict[str, object]:
    """The board's RS-485 port on the emulated bus of the site in `folder`."""
    return {"2": {"tty": str(folder / "dev" / BUS), "de_pin": 4}}


#: The same port with nothing on it, and with nobody to wait for.
EMPTY_BUS = {"2": {"de_pin": 4, "bus": {"meters": {}}}}


def journal_of(device: Device) -> RingStore:
    """What the board's flash has, as CPython reads it."""
    flash = NorFlash(JOURNAL_BYTES)
    flash.cells[:] = device.flash.read_bytes()
    return RingStore(flash, GATEWAY)


def story(run: Run) -> str:
    """For the message of a wait."""
    return "records arrive\n" + run.story()


def asked(cloud: Path, query: str) -> int:
    """A number that the cloud's database gives; 0 while it is not there yet."""
    if not cloud.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{cloud}?mode=ro", uri=True)) as database:
        try:
            return int(database.execute(query).fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def stored(site: Site) -> int:
    """Records in the cloud."""
    return asked(site.cloud, "SELECT count(*) FROM records")


def silent_devices(site: Site, since_ms: int) -> int:
    """Devices of which the cloud has a poll without a single value, ended after a wall time."""
    return asked(
        site.cloud,
        "SELECT count(DISTINCT device) FROM (SELECT r.device FROM readings r"
        " JOIN records x ON x.journal = r.journal AND x.seq = r.seq"
        f" WHERE x.wall_ms > {since_ms}"
        " GROUP BY r.journal, r.seq, r.device HAVING count(r.value) = 0)",
    )
