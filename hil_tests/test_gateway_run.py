"""`carbontally run` on the emulated factory day, to a real Mosquitto and a real receiver."""

import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import pytest

from edge.core.journal.record import Part
from hil_tests.intervals import check_telescoping, table_parts
from hil_tests.processes import Event, stations_of
from hil_tests.site import FACTORY, KEY, STREAMS, Site, write_secret
from hil_tests.witness import judge_cloud, read_cloud, read_journal
from tests.contract.brokers import free_port, mosquitto, wait_until

pytestmark = pytest.mark.system

STOP_S = 5.0


@dataclass
class Run:
    """What one run of a few seconds left behind."""

    site: Site
    events: list[Event]
    garbled: list[str]
    errors: str
    exit_status: int
    stop_s: float


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    folder = tmp_path_factory.mktemp("run")
    with mosquitto(folder) as broker:
        site = Site(folder, broker.port)
        with site.emulator(strict=True), site.run_receiver() as receiver:
            with site.run_gateway() as gateway:
                gateway.wait_status(lambda e: e["account"]["intervals"] >= 3, "three intervals")
                exit_status, stop_s = gateway.stop()
            assert receiver.stop()[0] == 0
    yield Run(site, gateway.events, gateway.garbled, gateway.errors, exit_status, stop_s)


def test_sigterm_stops_it_in_time(run: Run) -> None:
    assert run.exit_status == 0
    assert run.stop_s < STOP_S
    assert run.garbled == []
    assert run.errors.count("\n") == 1
    assert "boot 1" in run.errors


def test_every_line_is_a_status_and_the_last_says_stopped(run: Run) -> None:
    assert [event["event"] for event in run.events[:-1]] == ["status"] * (len(run.events) - 1)
    assert run.events[-1]["event"] == "stopped"
    times = [event["mono_ms"] for event in run.events]
    assert times == sorted(times)
    assert all(later - sooner >= 900 for sooner, later in zip(times, times[1:-1], strict=False))
    for event in run.events:
        _check_status(event)


def _check_status(event: Event) -> None:
    assert set(event) == {
        *("event", "mono_ms", "wall_ms", "clock", "boot", "epoch"),
        *("devices", "account", "journal", "uplink"),
    }
    assert event["clock"] in ("unset", "held", "synced")
    assert len(bytes.fromhex(event["epoch"])) == 8
    journal = event["journal"]
    assert journal["depth"] == journal["head_seq"] - journal["acked_seq"] >= 0
    assert journal["dropped_polls"] == 0
    assert event["uplink"]["state"] in ("offline", "connecting", "online")
    assert event["uplink"]["error"] is None
    assert [(d["name"], d["station"]) for d in event["devices"]] == [f[:2] for f in FACTORY]
    for device in event["devices"]:
        for value in device["values"].values():
            assert value is None or Fraction(value) is not None


def test_every_station_is_read_well(run: Run) -> None:
    for device in stations_of(run.events[-1]).values():
        assert device["quality"] == "good"
        assert device["error"] is None
        assert device["failures"] == 0
        assert device["polls"] >= 4
        assert all(value is not None for value in device["values"].values())


def test_the_journal_is_complete_and_proves_it(run: Run) -> None:
    journal = read_journal(run.site.journal)
    last = run.events[-1]["journal"]
    assert journal.broken is None
    assert journal.entries[-1].seq == last["head_seq"] == last["acked_seq"] == journal.acked
    assert last["uncommitted"] == 0
    assert journal.epoch.hex() == run.events[-1]["epoch"]


def test_the_cloud_has_the_journal_byte_for_byte(run: Run) -> None:
    journal = read_journal(run.site.journal)
    cloud = read_cloud(run.site.cloud, journal.epoch)
    assert [entry.raw for entry in cloud] == [entry.raw for entry in journal.entries]


def test_the_cloud_has_what_was_on_the_wire_and_nothing_else(run: Run) -> None:
    findings = judge_cloud(run.site.cloud, run.site.ledger)
    print(f"{findings.polls} polls, {findings.good} good readings, {len(findings.wrong)} wrong")
    assert findings.wrong == []
    assert findings.unheard == {name: 0 for name, _, _ in FACTORY}
    assert findings.polls == sum(d["polls"] for d in run.events[-1]["devices"])
    assert findings.good > 500


def test_a_changed_reading_and_a_changed_record_are_noticed(run: Run, tmp_path: Path) -> None:
    """What makes the tests above ones that can fail."""
    cloud = tmp_path / "cloud.db"
    shutil.copy(run.site.cloud, cloud)
    with closing(sqlite3.connect(cloud)) as database, database:
        seq, device = database.execute(
            "SELECT max(r.seq), d.name FROM readings r JOIN devices d ON d.number = r.device"
        ).fetchone()
        database.execute(
            "UPDATE polls SET mantissas = json_set(mantissas, '$[0]', (mantissas ->> 0) + 1)"
            " WHERE seq = ?",
            [seq],
        )
    assert judge_cloud(cloud, run.site.ledger).wrong == [(device, seq)]
    journal = tmp_path / "journal.db"
    shutil.copy(run.site.journal, journal)
    with closing(sqlite3.connect(journal)) as database, database:
        database.execute(
            "UPDATE journal SET record = (SELECT record FROM journal WHERE seq = 21)"
            " WHERE seq = 20"
        )
    assert read_journal(journal).broken == 20


def test_intervals_telescope(run: Run) -> None:
    entries = read_journal(run.site.journal).entries
    assert check_telescoping(entries) >= 3
    names = [part[2] for part in table_parts(entries) if part[0] == 3]
    assert names == [stream["name"] for stream in STREAMS]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_without_a_broker_it_stops_in_time_and_a_restart_goes_on(
    tmp_path: Path, number: int
) -> None:
    site = Site(tmp_path, free_port(), FACTORY[:2] + FACTORY[3:4], poll_ms=200)
    site.document["stream"] = [s for s in site.document["stream"] if s["name"] != "sun"]
    site.write()
    with site.emulator():
        with site.run_gateway() as first:
            first.wait_status(lambda e: e["account"]["intervals"] >= 1, "an interval")
            status, stop_s = first.stop(number)
        assert (status, first.events[-1]["uplink"]["error"]) == (0, "sync.offline")
        assert stop_s < STOP_S
        before = read_journal(site.journal)
        assert before.entries[-1].seq == first.events[-1]["journal"]["head_seq"]
        assert before.acked == -1
        port = int(site.broker.rpartition(":")[2])
        with mosquitto(tmp_path, port), site.run_receiver(), site.run_gateway() as second:
            second.wait_status(lambda e: e["account"]["intervals"] >= 2, "two intervals")
            status, stop_s = second.stop()
        assert status == 0
        assert stop_s < STOP_S
    after = read_journal(site.journal)
    assert after.entries[: len(before.entries)] == before.entries
    assert after.broken is None
    assert (before.boot, after.boot) == (1, 2)
    assert {entry.boot for entry in after.entries[len(before.entries) :]} == {2}
    assert [fields["boot"] for code, fields in after.events() if code == "gateway.boot"] == [1, 2]
    defined = [part for part in table_parts(before.entries) if part[0] != Part.LEARNED]
    assert [part for part in table_parts(after.entries) if part[0] != Part.LEARNED] == defined
    cloud = read_cloud(site.cloud, after.epoch)
    assert [entry.raw for entry in cloud] == [entry.raw for entry in after.entries]
    assert check_telescoping(after.entries) >= 3
    findings = judge_cloud(site.cloud, site.ledger)
    assert findings.wrong == []
    assert set(findings.unheard.values()) == {0}


def test_sigterm_does_not_wait_out_a_long_transaction(tmp_path: Path) -> None:
    site = Site(tmp_path, free_port(), FACTORY[3:4])
    site.document["bus"][0]["reply_timeout_ms"] = 10_000
    site.write()
    with site.emulator(["silent = true"]) as emulator, site.run_gateway() as gateway:
        wait_until(lambda: emulator.summary()["bus1"]["unanswered"], "a request is under way")
        status, stop_s = gateway.stop()
    assert status == 0
    assert stop_s < STOP_S
    assert read_journal(site.journal).broken is None


def qualities(status: Event) -> set[str]:
    return {device["quality"] for device in status["devices"]}


def test_a_port_that_comes_later(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port, FACTORY[3:5], poll_ms=200)
        with site.run_receiver(), site.run_gateway() as gateway:
            gateway.wait_status(lambda e: qualities(e) == {"port"}, "no port")
            assert stations_of(gateway.events[-1])["steam"]["error"] == "bus.port"
            assert set(stations_of(gateway.events[-1])["steam"]["values"].values()) == {None}
            with site.emulator():
                gateway.wait_status(lambda e: qualities(e) == {"good"}, "a port")
                assert gateway.stop()[0] == 0
    events = read_journal(site.journal).events()
    for device in (0, 1):
        codes = [code for code, fields in events if fields.get("device") == device]
        assert codes == ["bus.port", "device.recovered"]
    findings = judge_cloud(site.cloud, site.ledger)
    assert findings.wrong == []
    assert findings.good > 0


def test_another_gateways_journal_is_refused(tmp_path: Path) -> None:
    site = Site(tmp_path, free_port(), FACTORY[3:4])
    with site.emulator():
        with site.run_gateway() as gateway:
            gateway.wait_status(lambda e: e["journal"]["head_seq"] > 5, "some records")
            gateway.stop()
        before = read_journal(site.journal)
        site.document["gateway"]["id"] = "gw-2"
        site.write()
        with site.run_gateway() as other:
            assert other.wait_end() == 74
    assert [one["code"] for one in other.events] == ["store.foreign"]
    assert "error[store.foreign]" in other.errors
    assert read_journal(site.journal) == before


def test_a_second_gateway_on_the_journal_is_refused(tmp_path: Path) -> None:
    """Both would write: each takes the other's records for damage, and one loses its own."""
    site = Site(tmp_path, free_port(), FACTORY[3:4])
    with site.emulator(), site.run_gateway() as gateway:
        gateway.wait_status(lambda e: e["journal"]["head_seq"] > 5, "some records")
        with site.run_gateway() as other:
            assert other.wait_end() == 74
        head = gateway.events[-1]["journal"]["head_seq"]
        gateway.wait_status(lambda e: e["journal"]["head_seq"] > head, "it goes on")
        gateway.stop()
    assert [one["code"] for one in other.events] == ["store.open"]
    assert "error[store.open]" in other.errors and "another gateway has it open" in other.errors
    assert list(tmp_path.glob("*.aside-*")) == []


def test_a_new_key_needs_no_new_journal(tmp_path: Path) -> None:
    """The chain does not rest on the key; the receiver is told the new one."""
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port, FACTORY[3:4])
        with site.emulator(), site.run_gateway() as gateway:
            gateway.wait_status(lambda e: e["journal"]["head_seq"] > 5, "some records")
            gateway.stop()
            write_secret(site.key_file, bytes(reversed(KEY)).hex())
            site.keys.write_text(site.keys.read_text().replace(KEY.hex(), KEY[::-1].hex()))
            with site.run_receiver(), site.run_gateway() as again:
                again.wait_status(lambda e: e["journal"]["acked_seq"] > 5, "they are acked")
                again.stop()
    journal = read_journal(site.journal)
    cloud = read_cloud(site.cloud, journal.epoch)
    assert [entry.raw for entry in cloud] == [entry.raw for entry in journal.entries]
