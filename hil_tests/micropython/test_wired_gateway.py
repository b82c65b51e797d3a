"""The gateway as built on real MicroPython, from the wire to the cloud; a ledger judges."""

import time
from pathlib import Path

import pytest

from edge.core.journal.record import Kind
from edge.ports.linux import files
from hil_tests.micropython.built import (
    board_with,
    built,
    journal_of,
    silent_devices,
    stored,
    story,
    uarts,
)
from hil_tests.micropython.device import Device
from hil_tests.micropython.twins import METERS, twin_plan
from hil_tests.site import FACTORY, Site
from hil_tests.witness import Entry, decode_entry, judge_cloud, read_cloud
from tests.contract.brokers import mosquitto, wait_until

pytestmark = pytest.mark.system

RECORDS = 90
WRAP_MS = 4_000
DEADLINE_S = 120
MINUTES = 16
#: One request in so many finds no answer, and is asked again.
DROP_EVERY = 41


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


def same_as_on_the_flash(device: Device, site: Site) -> list[Entry]:
    """Everything in the cloud, once each, the bytes that the board's flash has."""
    journal = journal_of(device)
    cloud = read_cloud(site.cloud, journal.epoch)
    assert [entry.seq for entry in cloud] == list(range(len(cloud)))
    assert len(cloud) > journal.acked_seq
    held = journal.read(0, len(cloud) - 1)
    assert [entry.raw for entry in cloud] == [data for data, _ in held]
    return cloud


def virtual_meters(site: Site) -> None:
    """8 meters of 30 points each minute, 12 streams, at 9600 baud."""
    plan = twin_plan()
    document = site.document
    document["device"], document["stream"] = plan["document"]["device"], plan["document"]["stream"]
    document["accounting"] = plan["document"]["accounting"]
    document["bus"][0].update({"baud": 9600, "name": "a", "reply_timeout_ms": 300})
    document["uplink"]["linger_ms"] = 60_000


def test_minutes_of_virtual_time_at_9600_baud_over_the_wrap_of_the_ticks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wire takes its time, the clock jumps; broker and receiver are real."""
    meter = twin_plan()["profiles"]["meter"]
    monkeypatch.setattr(files, "read_profile", lambda name, file, key: meter)
    meters = {str(at + 1): {"counter": [1000 * at, 37 + at]} for at in range(METERS)}
    bus = {"turnaround_ms": 20, "drop_every": DROP_EVERY, "meters": meters}
    run_ms = MINUTES * 60_000
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        device = board_with(built(virtual_meters), tmp_path / "device", site.broker)
        with site.run_receiver() as receiver:
            last = device.run(
                deadline_s=DEADLINE_S,
                uarts={"2": {"de_pin": 4, "bus": bus}},
                clock={
                    "virtual": True,
                    "rtc_unix_ms": 1_800_000_000_000,
                    "ticks_start_ms": 2**30 - run_ms // 2,
                },
                quiet_ms=60,
                stop_after_ms=run_ms,
            )
            journal = journal_of(device)
            wait_until(lambda: stored(site) > journal.acked_seq, "every record that was acked")
            assert receiver.stop()[0] == 0
    assert last["reason"] == "time", last
    heard = last["serial"]["requests"]
    assert heard["bad"] == 0 and heard["heard"] == heard["answered"] + heard["dropped"]
    assert heard["dropped"] == heard["heard"] // DROP_EVERY > 0
    assert len(same_as_on_the_flash(device, site)) >= journal.next_seq * 3 // 4
    entries = [decode_entry(data) for data, _ in journal.read(0, journal.next_seq - 1)]
    polls = [entry for entry in entries if entry.kind == Kind.POLL]
    assert len(polls) == METERS * MINUTES
    assert heard["answered"] == len(polls), "what found no answer was asked again"
    assert not any(None in poll.body[1] for poll in polls)
    assert abs(polls[-1].mono_ms - polls[0].mono_ms - (run_ms - 60_000)) < 10_000
    assert abs(polls[-1].wall_ms - polls[0].wall_ms - (run_ms - 60_000)) < 10_000
