"""A works with a stack, a meter on a tariff, coal and facts, hour by hour in virtual time."""

from functools import cache
from typing import Any

from edge.app.config import Library, Settings
from edge.ports.linux import files

from .port_doubles import T0
from .virtual_site import HOUR_MS, PROFILE, Site

MINUTE_MS = 60_000
GAS_MS = 5_000


def _point(name: str, address: int, unit: str, places: int, **more: Any) -> dict[str, Any]:
    scale = "1" if places == 0 else "0." + "0" * (places - 1) + "1"
    known = {"name": name, "address": address, "type": "i16", "scale": scale, "unit": unit}
    return {**known, "places": places, "class": "gauge", **more}


GAS = {
    **PROFILE,
    "id": "gas",
    "points": [
        _point("co2", 0, "%{vol}", 1),
        _point("velocity", 1, "m/s", 1),
        _point("temperature", 2, "Cel", 0),
        _point("pressure", 3, "Pa", 0),
        _point("moisture", 4, "%{vol}", 1),
        _point("state", 5, "1", 0, **{"class": "status"}),
        _point("o2", 6, "%{vol}", 1),
        _point("flow", 7, "m3/s", 1),
    ],
}
METER = {
    **PROFILE,
    "points": [
        *PROFILE["points"],
        {
            "name": "serial",
            "address": 400,
            "type": "u32",
            "scale": "1",
            "unit": "1",
            "places": 0,
            "class": "status",
        },
    ],
}
TARIFF = {
    "id": "by_hour_r1",
    "publisher": "the supplier",
    "document": "hourly factors, revision 1",
    "boundary": "grid",
    "confidence": "S",
    "source": "portal",
    "evidence": "E-1",
    "intensity": "average",
    "unit": "kg/kW.h",
    "annual": "0.5",
    "utc_offset_min": 480,
    "weekly": [
        {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": at, "value": value}
        for at, value in (("00:00", "0.6"), ("10:20", "0.4"), ("15:40", "0.7"))
    ],
}
STACK = {
    "method": "hj212-2017/273/22.4",
    "family": "hj75",
    "area_m2": "28.27",
    "ambient_pa": 101_300,
    "basis": "dry",
    **{key: "stack." + key for key in ("co2", "velocity", "temperature", "pressure", "moisture")},
    "status": "stack.state",
    "states": [
        {"value": 1, "flag": "N"},
        {"value": 2, "flag": "C"},
        {"value": 3, "flag": "O"},
    ],
}
FACT = {"vintage": "2026-01-15", "source": "register"}
DOCUMENT: dict[str, Any] = {
    "gateway": {"id": "gw-1", "tenant": "wuxi", "key_file": "k", "journal": "j"},
    "uplink": {"broker": "mqtts://h", "linger_ms": 60_000},
    "accounting": {
        "interval_s": 3600,
        "bases": ["hourly"],
        "tariffs": ["hours.toml"],
        "coal": ["equivalent", "equal_value"],
    },
    "bus": [{"name": "a", "port": "p"}],
    "device": [
        {
            "name": "main",
            "bus": "a",
            "station": 1,
            "profile": "meter",
            "points": ["energy"],
            "poll_ms": MINUTE_MS,
            "serial_point": "serial",
            "group": [{"name": "id", "points": ["serial"], "poll_ms": MINUTE_MS}],
        },
        {"name": "stack", "bus": "a", "station": 2, "profile": "gas", "poll_ms": GAS_MS},
    ],
    "stream": [
        {
            "name": "grid",
            "kind": "grid_import",
            "point": "main.energy",
            "factor": "electricity_fossil",
            "coal": {
                "equivalent": "cn_coal_2589_2020.electricity",
                "equal_value": "cn_coal_equal_shandong.electricity",
            },
            "basis": [{"name": "hourly", "tariff": "by_hour_r1"}],
        },
        {"name": "boiler", "kind": "stack_co2", "stack": STACK},
        {
            "name": "half",
            "kind": "memo",
            "plus": ["grid"],
            "share": "0.5",
        },
    ],
    "fact": [
        {"name": "floor", "kind": "floor_area", "value": "12500", "unit": "m2", **FACT}
        | {"period": "2027"},
        {"name": "lamps", "kind": "product", "value": "4.25", "unit": "10*3", **FACT}
        | {"period": "2027-01"},
        {"name": "other", "kind": "product", "value": "1", "unit": "t", **FACT}
        | {"period": "2026"},
    ],
}
#: What the analyzer and its neighbours show: 12.5 %, 12.5 m/s, 120 Cel, -800 Pa, 8.5 %, running,
#: 6.0 % O2, 353.4 m3/s.
RUNNING = (125, 125, 120, -800, 85, 1, 60, 3534)


class Works(Site):
    """`gas`: the registers of the stack. `serial`: of the meter."""

    def __init__(self, document: dict[str, Any] | None = None) -> None:
        self.document = DOCUMENT if document is None else document
        self.gas: tuple[int, ...] = RUNNING
        self.serial = 4711
        super().__init__()

    def settings(self) -> Settings:
        profiles = {"meter": METER, "gas": GAS}
        library = Library(lambda name, *_: profiles[name], files.read_factors, lambda *_: TARIFF)
        return Settings(self.document, "f", library)

    def fill(self) -> None:
        self.link.put_u32(1, 4, 0, self.register(1))
        self.link.put_u32(1, 4, 400, self.serial)
        for at, value in enumerate(self.gas):
            self.link.registers[(2, 4, at)] = value & 0xFFFF

    def hours(self, count: int) -> None:
        """Run to the boundary that many hours on, and past its close."""
        now_ms = T0 + self.up_ms
        self.run((now_ms // HOUR_MS + count) * HOUR_MS + 7_000 - T0)

    def entry(self, name: str, at: int = -1) -> list[Any]:
        """A stream's entry in an interval."""
        place = [stream["name"] for stream in self.document["stream"]].index(name)
        return self.intervals()[at][2][place]


def rows(figures: list[list[Any]], name: str) -> dict[tuple[str, str], Any]:
    """(subject, basis) -> value of the figures of one name."""
    return {(row[1], row[2]): row[3] for row in figures if row[0] == name}


@cache
def eleven_hours() -> Works:
    """Eleven hours: a fault of two hours, a calibration, a restart and a cut amid an hour."""
    works = Works()
    works.hours(5)
    works.gas = (0, 0, 0, 0, 0, 9)
    works.hours(2)
    works.gas = (125, 125, 120, -800, 85, 1)
    works.hours(1)
    works.run(works.up_ms + 20 * MINUTE_MS)
    works.start()  # a cut
    works.hours(1)
    works.stop()
    works.start()
    works.hours(2)
    works.stop()
    return works
