"""The gateway as built on real MicroPython, from the wire to the cloud; a ledger judges."""

import time
from pathlib import Path

import pytest

from edge.core.journal.record import Kind
from hil_tests.micropython.built import (
    LEAN_HEAP_BYTES,
    board_with,
    built,
    silent_devices,
    stored,
    story,
    uarts,
)
from hil_tests.micropython.day import MINUTE_MS, judge_day, run_day, same_as_on_the_flash
from hil_tests.site import FACTORY, Site
from hil_tests.witness import judge_cloud
from tests.contract.brokers import mosquitto, wait_until

pytestmark = pytest.mark.system

RECORDS = 90
WRAP_MS = 4_000
DEADLINE_S = 120
MINUTES = 17
#: From which minute to which there is no broker.
AWAY = (5, 12)
GROWTH_BYTES = 48 * 1024


@pytest.mark.parametrize("nagle", [False, True], ids=["no_delay", "nagle"])
def test_nothing_is_lost_or_wrong_between_the_wire_and_the_cloud(
    tmp_path: Path, nagle: bool
) -> None:
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        device = board_with(built(), tmp_path / "device", site.broker)
        emulator = site.emulator(strict=True, in_bursts=True)
        with (
            site.run_receiver() as receiver,
            device.power_on(
                uarts=uarts(tmp_path),
                network={"nagle": nagle},
                clock={"rtc_unix_ms": None, "ticks_start_ms": 2**30 - WRAP_MS},
            ) as run,
        ):
            with emulator:
                wait_until(lambda: stored(site) >= RECORDS, story(run), DEADLINE_S)
                emulator.fall_silent()
                wait_until(lambda: emulator.is_read, "the last reply is taken", DEADLINE_S)
            # Whatever a station has said is in a poll before the first without an answer.
            silent_ms, every = time.time_ns() // 1_000_000, len(FACTORY)
            wait_until(lambda: silent_devices(site, silent_ms) == every, story(run), DEADLINE_S)
            last = run.stop()
            assert receiver.stop()[0] == 0
    assert last["reason"] == "stopped" and last["up_ms"] > WRAP_MS
    cloud = same_as_on_the_flash(device, site)
    assert sum(entry.kind == Kind.INTERVAL for entry in cloud) >= 3
    found = judge_cloud(site.cloud, site.ledger)
    assert found.wrong == []
    assert found.unheard == {name: 0 for name, _, _ in FACTORY}
    assert found.polls >= 7 * 4 and found.good > 300
    faults = ("sent_without_de", "de_released_early", "lost_while_driving", "overruns")
    assert [last["serial"][name] for name in faults] == [0, 0, 0, 0]


def test_minutes_at_9600_baud_over_the_wrap_of_the_ticks_with_the_broker_away(
    tmp_path: Path,
) -> None:
    """The wire takes its time, the clock jumps; `bench esp32` does the same for a day."""
    day = run_day(tmp_path, MINUTES, AWAY, LEAN_HEAP_BYTES, sample_minutes=1)
    judge_day(day, MINUTES)
    assert day.away_ms > MINUTE_MS and day.intervals >= 2
    assert day.last["network"]["connects"] > 2
    live = [sample["live_bytes"] for sample in day.heaps]
    assert max(live) - live[0] < GROWTH_BYTES, "no more than buffers that are made once"
