"""A gateway as built for a board, through a long time that passes at once; a ledger judges.

8 meters of 30 points each minute on a wire of 9600 baud, 12 streams in intervals of 15 minutes,
journal on flash; broker and receiver are real processes, and the broker goes away for a while.
The ticks of the board wrap half-way. Then the power fails, and what is not in the cloud yet
follows in a second start.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from edge.core.journal.record import Kind
from edge.ports.linux import files
from hil_tests.emulator.ledger import Ledger, ServedReply
from hil_tests.intervals import check_telescoping
from hil_tests.micropython.built import BOARD, Built, board_with, built, journal_of, stored, story
from hil_tests.micropython.device import Device, Event, Run
from hil_tests.micropython.twins import METERS, twin_plan
from hil_tests.site import Site
from hil_tests.witness import Entry, Findings, judge_cloud, read_cloud
from tests.contract.brokers import Broker, mosquitto, wait_until
from tests.unit.metered_ring import COMMIT_MS

#: A minute before an interval ends.
START_MS = 1_799_999_940_000
MINUTE_MS = 60_000
HURRIED_MS = 4_000
#: One request in so many finds no answer, and is asked again.
DROP_EVERY = 41
#: So long after the last round of polls the power fails.
REST_MS = 30_000
BUS = "a"
_WRAP_MS = 2**30
_CUT_MS = 90_000
#: A round of polls is spread over some seconds.
_LATE_MS = 10_000
_DEADLINE_S = 60
#: What this machine may take for a minute of the board, at worst.
_MINUTE_S = 10


class Day(NamedTuple):
    """What came of it.

    last: how the first start ended; heaps: the samples of it; away_ms: how long the broker was
    away at least, in time of the board; cloud: every record there; found: what the ledger says;
    intervals: how many there are, each beginning where the one before ended.
    """

    last: Event
    heaps: list[Event]
    away_ms: int
    cloud: list[Entry]
    found: Findings
    intervals: int


def run_day(
    folder: Path,
    minutes: int,
    away: tuple[int, int],
    heap_bytes: int,
    sample_minutes: int,
    added: str = "",
) -> Day:
    """Let it run for so many minutes. away: from which minute to which there is no broker.

    added: to the program, see `built`.
    """
    run_ms = minutes * MINUTE_MS + REST_MS
    profiles = _write_profile(folder / "profiles")
    with mosquitto(folder) as broker:
        site = Site(folder, broker.port)
        device = board_with(workload(added=added), folder / "device", site.broker, heap_bytes)
        with site.run_receiver() as receiver:
            plan = _plan(folder / "replies.jsonl", run_ms, sample_minutes)
            with device.power_on(**plan) as run:
                away_ms = _take_away(run, broker, away, minutes * _MINUTE_S)
                last = run.wait_end(_DEADLINE_S + minutes * _MINUTE_S)
            assert last["reason"] == "time", run.story()
            _follow_up(device, site, run_ms + _CUT_MS)
            assert receiver.stop()[0] == 0
    write_ledger(folder / "replies.jsonl", site.ledger)
    cloud = same_as_on_the_flash(device, site)
    found = judge_cloud(site.cloud, site.ledger, profiles)
    heaps = [event for event in run.events if event["event"] == "heap"]
    return Day(last, heaps, away_ms, cloud, found, check_telescoping(cloud))


def workload(board: Path = BOARD, added: str = "", is_hurried: bool = False) -> Built:
    """The gateway of the day as built for a board; added: see `built`."""
    with own_meter():
        return built(_hurried if is_hurried else plan_site, board, added)


def _hurried(site: Site) -> None:
    """The same meters, polled as often as the wire lets it be without a hurry."""
    plan_site(site)
    for device in site.document["device"]:
        device["poll_ms"] = HURRIED_MS


def plan_site(site: Site) -> None:
    """Make a site the gateway of the day."""
    plan = twin_plan()
    document = site.document
    document["device"], document["stream"] = plan["document"]["device"], plan["document"]["stream"]
    document["accounting"] = plan["document"]["accounting"]
    document["bus"][0].update({"baud": 9600, "name": BUS, "reply_timeout_ms": 300})
    document["gateway"]["commit_ms"] = COMMIT_MS
    document["uplink"]["linger_ms"] = MINUTE_MS


@contextmanager
def own_meter() -> Iterator[None]:
    """The meter of the plan is in no library."""
    meter = twin_plan()["profiles"]["meter"]
    with mock.patch.object(files, "read_profile", lambda name, file, key: meter):
        yield


def _write_profile(folder: Path) -> Path:
    """The meter for the judge, as a file of its own form."""
    meter = twin_plan()["profiles"]["meter"]
    points = meter.pop("points")
    lines = [f"{name} = {json.dumps(value)}" for name, value in meter.items()]
    for point in points:
        lines += ["[[points]]", *(f"{name} = {json.dumps(part)}" for name, part in point.items())]
    folder.mkdir()
    (folder / "meter.toml").write_text("\n".join(lines) + "\n")
    return folder


def virtual_meters() -> dict[str, Any]:
    """Meters of a virtual bus whose registers grow, each at a pace of its own."""
    return {str(at + 1): {"counter": [1000 * at, 37 + at]} for at in range(METERS)}


def _plan(replies: Path, run_ms: int, sample_minutes: int) -> dict[str, Any]:
    bus = {
        "turnaround_ms": 20,
        "drop_every": DROP_EVERY,
        "ledger": str(replies),
        "meters": virtual_meters(),
    }
    return {
        "uarts": {"2": {"de_pin": 4, "bus": bus}},
        "clock": {
            "virtual": True,
            "rtc_unix_ms": START_MS,
            "ticks_start_ms": _WRAP_MS - run_ms // 2,
        },
        "quiet_ms": 60,
        "heap_sample_ms": sample_minutes * MINUTE_MS,
        "stop_after_ms": run_ms,
    }


def _take_away(run: Run, broker: Broker, away: tuple[int, int], deadline_s: float) -> int:
    """Stop the broker in time of the board; the milliseconds that it was away at least."""

    def wait(minute: int) -> int:
        def is_then(event: Event) -> bool:
            return event["event"] == "heap" and int(event["up_ms"]) >= minute * MINUTE_MS

        run.wait_for(is_then, f"minute {minute}", deadline_s)
        return int(max(event["up_ms"] for event in run.events if event["event"] == "heap"))

    wait(away[0])
    broker.stop()
    gone_ms = wait(0)
    back_ms = wait(away[1])
    broker.start()
    return back_ms - gone_ms


def _follow_up(device: Device, site: Site, after_ms: int) -> None:
    """A second start, with nobody on the bus, until everything that was kept is in the cloud."""
    kept = journal_of(device).next_seq
    clock = {"virtual": True, "rtc_unix_ms": START_MS + after_ms}
    with device.power_on(
        uarts={"2": {"de_pin": 4, "bus": {"meters": {}}}}, clock=clock, quiet_ms=60
    ) as run:
        wait_until(lambda: run.is_over or stored(site) >= kept, story(run))
        assert not run.is_over, story(run)
        run.stop()


def same_as_on_the_flash(device: Device, site: Site) -> list[Entry]:
    """Everything in the cloud, once each, the bytes that the board's flash has."""
    journal = journal_of(device)
    cloud = read_cloud(site.cloud, journal.epoch)
    assert [entry.seq for entry in cloud] == list(range(len(cloud)))
    assert len(cloud) > journal.acked_seq
    held = journal.read(0, len(cloud) - 1)
    assert [entry.raw for entry in cloud] == [data for data, _ in held]
    return cloud


def write_ledger(replies: Path, target: Path) -> None:
    """What the meters in virtual time have said, as the emulator's ledger."""
    ledger = Ledger(target, {})
    for line in replies.read_text().splitlines():
        wall_ms, station, function, address, count, registers = json.loads(line)
        asked = (station, function, address, count)
        ledger.reply(ServedReply(wall_ms, 0, BUS, *asked, bytes.fromhex(registers), None, None))
    ledger.close()


def judge_day(day: Day, minutes: int) -> None:
    """Lost 0, duplicated 0, wrong 0; every minute polled, on the wire once."""
    found = day.found
    assert found.wrong == []
    assert found.unheard == {f"m{at}": 0 for at in range(METERS)}
    heard = day.last["serial"]["requests"]
    assert heard["bad"] == 0 and heard["heard"] == heard["answered"] + heard["dropped"]
    assert heard["dropped"] == heard["heard"] // DROP_EVERY > 0
    polls = [entry for entry in day.cloud if entry.kind == Kind.POLL and entry.boot == 1]
    assert len(polls) == METERS * (minutes + 1) == heard["answered"], "asked again, once each"
    assert not any(None in poll.body[1] for poll in polls)
    for name in ("mono_ms", "wall_ms"):
        span_ms = getattr(polls[-1], name) - getattr(polls[0], name)
        assert abs(span_ms - minutes * MINUTE_MS) < _LATE_MS, name
    faults = ("sent_without_de", "de_released_early", "lost_while_driving", "overruns")
    assert [day.last["serial"][name] for name in faults] == [0, 0, 0, 0]
