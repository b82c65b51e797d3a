"""Bad input from the bus, up to the cloud: coded, survived, and never a wrong reading."""

from pathlib import Path

import pytest

from hil_tests.processes import Command, Event, stations_of
from hil_tests.site import FACTORY, Site
from hil_tests.witness import Journal, judge_cloud, read_cloud, read_journal
from tests.contract.brokers import free_port, mosquitto

pytestmark = pytest.mark.system

#: device -> (what its station does to four requests from second 3 on, the codes that may be said
#: of it, the qualities of its readings meanwhile).
FAULTS: dict[str, tuple[str, set[str], set[str]]] = {
    "grid": ('garbage = "instead"', {"bus.crc", "bus.short", "bus.mismatch"}, {"corrupt"}),
    "line1": ("crc = true", {"bus.crc"}, {"corrupt"}),
    "pv": ("exception = 6", {"device.busy"}, {"exception"}),
    "steam": ("silent = true", {"bus.timeout"}, {"timeout"}),
    "stack": ("truncate = 7", {"bus.short"}, {"corrupt"}),
    "stack_pm": ("late_ms = 300", {"bus.timeout"}, {"timeout"}),
    "battery": ("wrong_byte_count = 3", {"bus.crc", "bus.short", "bus.mismatch"}, {"corrupt"}),
}
STATION = {name: station for name, station, _ in FACTORY}

QUALITY_CODES = {"timeout": 3, "corrupt": 4, "exception": 5}

#: What a machine at its limit adds to any station: its reply is late, or a late one is heard.
LATE_CODES = {"bus.timeout", "bus.crc", "bus.short", "bus.mismatch"}
LATE_QUALITIES = {3, 4}


def is_well(status: Event) -> bool:
    return all(device["quality"] == "good" for device in status["devices"])


def check_delivery(site: Site) -> Journal:
    """The chain holds and the cloud has the journal; returns it."""
    journal = read_journal(site.journal)
    assert journal.broken is None
    cloud = read_cloud(site.cloud, journal.epoch)
    assert [entry.raw for entry in cloud] == [entry.raw for entry in journal.entries]
    return journal


def test_every_fault_of_a_station_is_coded_and_passes(tmp_path: Path) -> None:
    faults = [
        f"station = {STATION[name]}\nfrom_s = 3\ntimes = 4\n{fault}"
        for name, (fault, _, _) in FAULTS.items()
    ]
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port, poll_ms=300)
        with site.run_receiver(), site.emulator(faults) as emulator:
            with site.run_gateway() as gateway:
                gateway.wait_status(is_well, "all is well before the faults")
                for name, (_, codes, _) in FAULTS.items():
                    gateway.wait_for(
                        lambda e, name=name, codes=codes: (  # type: ignore[misc]
                            stations_of(e)[name]["error"] in codes
                        ),
                        f"{name} fails",
                    )
                gateway.wait_status(is_well, "all is well after the faults", 60)
                assert gateway.stop()[0] == 0
            counts = emulator.summary()["bus1"]
    journal = check_delivery(site)
    for number, (_, codes, qualities) in enumerate(FAULTS.values()):
        said = [code for code, fields in journal.events() if fields.get("device") == number]
        assert said[-1] == "device.recovered"
        assert set(said) & codes
        assert set(said) <= codes | LATE_CODES | {"device.recovered"}
        _check_qualities(journal, number, {QUALITY_CODES[quality] for quality in qualities})
    findings = judge_cloud(site.cloud, site.ledger)
    print(f"{counts}; {findings.good} good readings, {len(findings.wrong)} wrong")
    assert findings.wrong == []
    assert findings.good > 500


def _check_qualities(journal: Journal, device: int, qualities: set[int]) -> None:
    """What was not read is nil with a quality that says why; nothing else is nil or marked."""
    seen = set()
    for entry in journal.entries:
        if entry.kind == 1 and entry.body[0] == device:
            _, values, flat, _ = entry.body
            nil = {index for index, value in enumerate(values) if value is None}
            assert nil == set(flat[::2])
            seen |= set(flat[1::2])
    assert qualities <= seen <= qualities | LATE_QUALITIES


def test_single_damaged_frames_cost_no_reading(tmp_path: Path) -> None:
    """What came damaged is asked for again within the poll."""
    faults = [
        "crc = true\nevery = 9",
        'garbage = "before"\nevery = 11',
        "truncate = 9\nevery = 13",
    ]
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port, FACTORY[1:6], poll_ms=500)
        site.document["stream"] = [s for s in site.document["stream"] if s["name"] != "grid_in"]
        site.write()
        with site.run_receiver(), site.emulator(faults) as emulator:
            with site.run_gateway() as gateway:
                gateway.wait_status(
                    lambda e: all(d["polls"] >= 12 for d in e["devices"]), "twelve polls each"
                )
                assert gateway.stop()[0] == 0
            counts = emulator.summary()["bus1"]["stations"].values()
    check_delivery(site)
    findings = judge_cloud(site.cloud, site.ledger)
    spoilt = sum(
        number for count in counts for outcome, number in count.items() if outcome != "clean"
    )
    failures = sum(device["failures"] for device in gateway.events[-1]["devices"])
    print(f"{spoilt} frames spoilt, {failures} polls failed, {findings.polls} polls")
    assert spoilt >= 10
    assert failures <= spoilt // 3
    assert findings.wrong == []


HEALTHY = FACTORY[1:3] + FACTORY[4:7]
RATE_S = 10


def quiet_site(folder: Path, devices: tuple[tuple[str, int, str], ...]) -> Site:
    folder.mkdir()
    return Site(folder, free_port(), devices, poll_ms=1_000)


def polls_in_time(gateway: Command) -> dict[str, int]:
    """Polls per device within RATE_S of the gateway's start."""
    status = gateway.wait_for(
        lambda e: e["mono_ms"] >= RATE_S * 1000, "the time is over", deadline_s=RATE_S + 20
    )
    return {name: device["polls"] for name, device in stations_of(status).items()}


def test_a_silent_station_leaves_the_others_their_rate(tmp_path: Path) -> None:
    """Two gateways at once, on a bus each: one has the silent station to ask, one has not."""
    site = quiet_site(tmp_path / "alone", HEALTHY)
    other = quiet_site(tmp_path / "beside", (*HEALTHY, FACTORY[3]))
    silence = ["station = 4\nsilent = true"]
    with (
        site.emulator(silence),
        other.emulator(silence),
        site.run_gateway() as undisturbed,
        other.run_gateway() as disturbed,
    ):
        alone, beside = polls_in_time(undisturbed), polls_in_time(disturbed)
    print(f"in {RATE_S} s alone {alone}, beside a silent station {beside}")
    assert beside["steam"] >= 2
    assert min(alone.values()) >= RATE_S * 9 // 10
    assert min(beside[name] / alone[name] for name in alone) >= 0.8
