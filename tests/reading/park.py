"""A park whose gateways run in virtual time and whose batches the real receiver stores.

Two gateways of one tenant (a mill with grid, PV, battery, gas and a sub-meter; a boiler house with
a stack, heat in and out) and one of another tenant, for two days of the park's calendar.
"""

import hashlib
from pathlib import Path
from typing import Any

from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.address import open_store
from edge.app.config import Library, Settings
from edge.app.definitions import Definitions, define_streams
from edge.app.gateway import Gateway
from edge.app.poller import Poller
from edge.app.recorder import Recorder
from edge.app.station_plan import plan_station
from edge.app.uploader import Uploader
from edge.core.carbon.account import Accountant
from edge.core.journal.record import decode_record
from edge.core.sync import topics
from edge.core.sync.batch import encode_batch
from edge.ports.linux import files
from tests.unit.port_doubles import KEY, ListStore, ManualClock, MemoryUplink, TableLink

TENANT, OTHER = "wuxi", "suzhou"
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000

#: 2026-11-20T00:00:00+08:00, a midnight of the park.
START_MS = 1_795_104_000_000
DAYS = 2

#: What the mill's operator says of instruments, in a file whose digest is in its journal.
SITE_FILE = b"""version = 1
[gateway]
id = "gw-mill"
tenant = "wuxi"
[[device]]
name = "grid"
[device.instrument]
location = "main switchboard"
accuracy_class = "0.5S"
calibrated = "2026-03-02"
calibration_due = "2026-11-01"
responsible = "<b>energy office</b>"
"""
CONFIG_DIGEST = hashlib.sha256(SITE_FILE).digest()
BATCH_RECORDS = 64


def _counter(name: str, address: int, unit: str, scale: str, places: int) -> dict[str, Any]:
    return {
        "name": name,
        "address": address,
        "type": "u32",
        "scale": scale,
        "unit": unit,
        "places": places,
        "class": "counter",
        "evidence": True,
    }


def _gauge(name: str, address: int, unit: str, scale: str, places: int) -> dict[str, Any]:
    return {**_counter(name, address, unit, scale, places), "type": "u16", "class": "gauge"}


def _profile(name: str, points: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": name,
        "function": 4,
        "word_order": "big",
        "byte_order": "big",
        "max_block_registers": 80,
        "points": points,
    }


PROFILES = {
    "meter": _profile(
        "meter",
        [_counter("energy", 0, "kW.h", "0.01", 2), _counter("energy_out", 2, "kW.h", "0.01", 2)],
    ),
    "gas": _profile("gas", [_counter("volume", 0, "m3", "0.1", 1)]),
    "heat": _profile("heat", [_counter("heat", 0, "GJ", "0.001", 3)]),
    "cems": _profile(
        "cems",
        [
            _gauge("co2", 0, "%{vol}", "0.01", 2),
            _gauge("velocity", 1, "m/s", "0.01", 2),
            _gauge("temperature", 2, "Cel", "0.1", 1),
            _gauge("pressure", 3, "Pa", "1", 0),
            _gauge("moisture", 4, "%{vol}", "0.01", 2),
        ],
    ),
}


def _electric(name: str, kind: str, point: str, factor: str, place: str) -> dict[str, Any]:
    national = "mee_electricity_2023.national_average" if factor.endswith("_fossil") else factor
    stream = {"name": name, "kind": kind, "point": point, "factor": factor, "place": place}
    return {**stream, "basis": [{"name": "national", "factor": national}]}


def _document(gateway: str, tenant: str, devices: dict[str, tuple[int, str]]) -> dict[str, Any]:
    return {
        "gateway": {"id": gateway, "tenant": tenant, "key_file": "k", "journal": "j"},
        "uplink": {"broker": "mqtts://h", "linger_ms": 60_000},
        "accounting": {"interval_s": 900, "basis": "park_910", "bases": ["national"]},
        "bus": [{"name": "a", "port": "p"}],
        "device": [
            {"name": name, "bus": "a", "station": station, "profile": profile, "poll_ms": 450_000}
            for name, (station, profile) in devices.items()
        ],
        "place": [
            {"name": "park", "level": "park"},
            {"name": "mill", "level": "enterprise", "within": "park"},
            {"name": "hall-1", "level": "building", "within": "mill"},
            {"name": "line-1", "level": "line", "within": "hall-1"},
            {"name": "boiler-house", "level": "enterprise", "within": "park"},
        ],
    }


def mill() -> dict[str, Any]:
    """The configuration of the mill."""
    devices = {"grid": (1, "meter"), "pv": (2, "meter"), "battery": (3, "meter")}
    devices |= {"gas": (4, "gas"), "line1": (5, "meter")}
    document = _document("gw-mill", TENANT, devices)
    fossil, green = "electricity_fossil", "electricity_nonfossil"
    document["stream"] = [
        _electric("grid_import", "grid_import", "grid.energy", fossil, "mill"),
        _electric("grid_export", "grid_export", "grid.energy_out", green, "mill"),
        _electric("pv", "pv", "pv.energy", green, "mill"),
        {"name": "charge", "kind": "battery_charge", "point": "battery.energy", "place": "mill"},
        {"name": "discharge", "kind": "battery_discharge", "point": "battery.energy_out"}
        | {"place": "mill"},
        {
            "name": "gas",
            "kind": "fuel",
            "point": "gas.volume",
            "fuel": "gbt_32151_34_2024.natural_gas",
            "place": "hall-1",
        },
        {
            "name": "line1",
            "kind": "memo",
            "point": "line1.energy",
            "within": "grid_import",
            "place": "line-1",
        },
    ]
    document["fact"] = [
        {
            "name": "output",
            "kind": "value_added",
            "value": "12.5",
            "unit": "10*4.CNY",
            "period": "2026-11",
            "vintage": "2026-11-30",
            "source": "statistics sheet 11",
        }
    ]
    return document


def boiler_house() -> dict[str, Any]:
    """The configuration of the boiler house."""
    devices = {"steam": (1, "heat"), "sold": (2, "heat"), "stack": (3, "cems")}
    document = _document("gw-boiler", TENANT, devices)
    where = {"place": "boiler-house"}
    stack = {"method": "hj212-2017/273/22.4", "area_m2": "0.12566", "ambient_pa": 101_300}
    inputs = ("co2", "velocity", "temperature", "pressure", "moisture")
    stack |= {"basis": "wet", **{name: "stack." + name for name in inputs}}
    heat = {"factor": "heat_fossil", **where}
    document["stream"] = [
        {"name": "steam", "kind": "heat_import", "point": "steam.heat", **heat},
        {"name": "sold", "kind": "heat_export", "point": "sold.heat", **heat},
        {"name": "stack", "kind": "stack_co2", "stack": stack, **where},
    ]
    return document


def neighbour() -> dict[str, Any]:
    """The configuration of another tenant's gateway, with a name that ours have too."""
    document = _document("gw-mill", OTHER, {"grid": (1, "meter")})
    document["stream"] = [
        _electric("feeder", "grid_import", "grid.energy", "electricity_fossil", "mill")
    ]
    return document


def registers(gateway: str, up_ms: int) -> dict[tuple[int, int], int]:
    """(station, address) -> 32-bit counter, or (station, address) -> 16-bit gauge below zero."""
    minute = up_ms // MINUTE_MS
    of_day = minute % 1440
    lit = sum(max(0, min(m, 1440 - m) - 360) for m in range(0, of_day, 15))
    days, whole = minute // 1440, sum(max(0, min(m, 1440 - m) - 360) for m in range(0, 1440, 15))
    light = days * whole + lit
    if gateway == "gw-boiler":
        return {(1, 0): 700_000 + minute * 13, (2, 0): 20_000 + minute * 2}
    return {
        (1, 0): 5_000_000 + minute * 417 + minute % 7,
        (1, 2): 40_000 + light * 3,
        (2, 0): 900_000 + light * 11,
        (2, 2): 0,
        (3, 0): 100_000 + (minute // 1440) * 900 + min(of_day, 900),
        (3, 2): 90_000 + (minute // 1440) * 850 + max(0, of_day - 590),
        (4, 0): 333_000 + minute * 5,
        (5, 0): 777_000 + minute * 101,
        (5, 2): 0,
    }


GAUGES = {(3, 0): 1_210, (3, 1): 830, (3, 2): 1_415, (3, 3): 120, (3, 4): 790}


def run(document: dict[str, Any], days: int = DAYS) -> ListStore:
    """The journal that a gateway of this configuration writes."""
    identity = document["gateway"]
    clock = ManualClock(START_MS - HOUR_MS)
    epoch = hashlib.sha256(identity["tenant"].encode()).digest()[:8]
    store = ListStore(identity["id"], epoch)
    link = TableLink(clock)
    settings = Settings(
        document, "f", Library(lambda name, *_: PROFILES[name], files.read_factors)
    )
    definitions = Definitions([])
    definitions.config(CONFIG_DIGEST, "0.1.0")
    for found in settings.factor_sets:
        definitions.factor_set(found.id, found.digest)
    numbers = [definitions.device(device) for device in settings.devices]
    streams = define_streams(settings, numbers, definitions)
    stations = [
        plan_station(number, device, settings.buses[0])
        for number, device in zip(numbers, settings.devices, strict=True)
    ]
    uplink = MemoryUplink()
    uplink.reachable = False
    gateway = Gateway(
        [Poller(settings.buses[0], stations, link, 0)],
        Recorder(store, clock, 1000),
        Accountant(streams, settings.interval_ms),
        Uploader(uplink, store, identity["id"], identity["tenant"], KEY, 60_000),
    )
    gateway.start(definitions.fresh(), {stream.number: [] for stream in streams}, 0)
    end_ms = HOUR_MS + days * DAY_MS + 16 * MINUTE_MS
    while clock.mono < end_ms + 5_000:
        for (station, address), value in registers(identity["id"], clock.mono).items():
            link.put_u32(station, 4, address, value)
        if identity["id"] == "gw-boiler":
            link.registers |= {(at[0], 4, at[1]): value for at, value in GAUGES.items()}
            link.silent = {2} if 30 * HOUR_MS < clock.mono < 31 * HOUR_MS else set()
        if clock.mono >= end_ms:
            gateway.stop()
        gateway.step(clock.mono)
        clock.mono = max(clock.mono + 1, _wake_ms(gateway, link, clock))
    return store


def _wake_ms(gateway: Gateway, link: TableLink, clock: ManualClock) -> int:
    """When the next step can do more than look at the clock."""
    due = [clock.mono + 60_000, link.ready_ms, gateway.recorder.next_ms()]
    due.append(gateway.pollers[0].next_ms())
    boundary_ms = gateway.accountant.due_ms()
    due.append(None if boundary_ms is None else boundary_ms - clock.start_wall_ms)
    return min(at for at in due if at is not None)


def deliver(store: ListStore, document: dict[str, Any], receiver: Receiver) -> None:
    """Everything of a journal, in batches, one of which comes twice."""
    identity = document["gateway"]
    topic = topics.topic(identity["tenant"], identity["id"], topics.BATCH)
    before = store.genesis
    for first in range(0, store.next_seq, BATCH_RECORDS):
        rows = store.rows[first : first + BATCH_RECORDS]
        records = tuple(decode_record(data) for _, _, data, _ in rows)
        last = rows[-1][3]
        payload = encode_batch(identity["id"], store.epoch, before, records, last, KEY)
        for _ in range(2 if first == BATCH_RECORDS else 1):
            receiver.receive(topic, payload)
        before = last
    receiver.receive(topic, b"no batch")


def build(place: Path | str) -> None:
    """A database with all of it, filled by the receiver."""
    documents = [mill(), boiler_house(), neighbour()]
    owners = [(d["gateway"]["tenant"], d["gateway"]["id"]) for d in documents]
    database = open_store(place)
    now_ms = START_MS + DAYS * DAY_MS + HOUR_MS
    receiver = Receiver(database, Keys(dict.fromkeys(owners, KEY)), lambda: now_ms)
    for document in documents:
        deliver(run(document), document, receiver)
    database.close()
