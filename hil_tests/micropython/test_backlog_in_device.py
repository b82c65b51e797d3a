"""A board that starts with the journal of hours without a broker sends it in a heap of a bound."""

from pathlib import Path
from unittest.mock import patch

import pytest

from edge import VERSION
from edge.app.definitions import Definitions
from edge.app.service import read_settings
from edge.core.bus.rtu import crc16
from edge.core.journal.record import Kind
from edge.ports.esp32.config_file import read_copies
from edge.ports.esp32.ring_store import RingStore
from hil_tests.micropython.built import (
    BACKLOG_HEAP_BYTES,
    JOURNAL_BYTES,
    board_with,
    journal_of,
    stored,
    story,
)
from hil_tests.micropython.day import (
    own_meter,
    plan_site,
    same_as_on_the_flash,
    virtual_meters,
    workload,
)
from hil_tests.micropython.programs import twin_gateway
from hil_tests.micropython.programs.twin_gateway import HOUR_MS, T0_MS
from hil_tests.micropython.twins import METERS, RECORDS_MAX, twin_of_settings
from hil_tests.site import Site
from tests.contract.brokers import mosquitto, wait_until
from tests.unit.flash_doubles import NorFlash

pytestmark = pytest.mark.system

HOURS = 3
#: Registers that were above zero all the time.
METERS_PLAN = {
    station: {"counter": [10_000_000, meter["counter"][1]]}
    for station, meter in virtual_meters().items()
}
DEADLINE_S = 300


class _Meters(twin_gateway.MeterLink):
    """Stations that say what those of the board say then, see `board/virtual_bus.mjs`."""

    def poll(self) -> bytes | None:
        if super().poll() is None:
            return None
        station, function, *_ = self._request
        address, count = (int.from_bytes(self._request[at : at + 2], "big") for at in (2, 4))
        start, per_s = METERS_PLAN[str(station)]["counter"]
        body = bytearray((station, function, 2 * count))
        for at in range(address, address + count):
            grown = (per_s + (at >> 1)) * (self.clock.now_ms - HOURS * HOUR_MS) // 1000
            value = start + 1000 * (at >> 1) + grown
            body += (value >> (0 if at & 1 else 16) & 0xFFFF).to_bytes(2, "big")
        return bytes(body) + crc16(bytes(body)).to_bytes(2, "little")


class _AwayCloud(twin_gateway.NextDoorCloud):
    """A broker that is never reached."""

    def check_msg(self) -> int:
        return 0

    def wait_ms(self) -> int | None:
        return None


def backlog(site: Site, digest: str) -> NorFlash:
    """The flash of a gateway of the day after so many hours without a broker.

    digest: of its configuration, so that the board finds nothing new to state.
    """
    flash = NorFlash(JOURNAL_BYTES)

    def stated(recorded: list[list[object]]) -> Definitions:
        definitions = Definitions(recorded)
        definitions.config(bytes.fromhex(digest), VERSION)
        return definitions

    with own_meter():
        settings, _ = read_settings(site.config)
    with (
        patch.object(twin_gateway, "DigestStore", lambda gateway: RingStore(flash, gateway)),
        patch.object(twin_gateway, "NextDoorCloud", _AwayCloud),
        patch.object(twin_gateway, "MeterLink", _Meters),
        patch.object(twin_gateway, "Definitions", stated),
    ):
        twin = twin_of_settings(settings, RECORDS_MAX)
        twin.run(HOURS * HOUR_MS, lambda: None)
    return flash


def test_the_backlog_of_hours_is_sent_in_so_much(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        plan_site(site)
        site.write()
        device = board_with(workload(), tmp_path / "device", site.broker, BACKLOG_HEAP_BYTES)
        config, _ = read_copies(f"{device.root}/")
        device.flash.write_bytes(bytes(backlog(site, config["digest"]).cells))
        kept = journal_of(device)
        assert kept.next_seq > METERS * 60 * HOURS and kept.acked_seq == -1
        with (
            site.run_receiver() as receiver,
            device.power_on(
                uarts={"2": {"de_pin": 4, "bus": {"meters": METERS_PLAN}}},
                clock={"virtual": True, "rtc_unix_ms": T0_MS + HOURS * HOUR_MS},
                quiet_ms=60,
            ) as run,
        ):
            wanted = kept.next_seq + METERS
            wait_until(lambda: run.is_over or stored(site) > wanted, story(run), DEADLINE_S)
            assert not run.is_over, run.story()
            last = run.stop()
            assert receiver.stop()[0] == 0
    assert [line.split()[0] for line in run.lines] == ["gateway"], run.lines
    assert last["network"]["connects"] == 1
    cloud = same_as_on_the_flash(device, site)
    assert len(cloud) > kept.next_seq + METERS, "and what was polled meanwhile"
    told = [entry.body[0] for entry in cloud if entry.kind == Kind.EVENT]
    assert "sync.memory" not in told
