"""The small site that is simulated: two meters, one line, two streams."""

from typing import Any

from edge.app.config import Library, Settings
from edge.ports.linux import files

GATEWAY, TENANT = "gw-1", "wuxi"
KEY = bytes(range(1, 33))

#: Unix time at the beginning of every world: 2027-01-15T08:00:00Z.
TRUTH_MS = 1_800_000_000_000

MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
POLL_MS = 900_000

#: Well above what the meters show, so that what cannot be true is held.
RATED_KW = 2_000

#: 10 W.h of a counter in 0.01 kW.h.
COUNT_WH = 10

ENERGY, POWER = 0, 1
NAMES = {1: "grid", 2: "line"}

_POINTS = [
    {
        "name": "energy",
        "address": 0,
        "type": "u32",
        "scale": "0.01",
        "unit": "kW.h",
        "places": 2,
        "class": "counter",
        "evidence": True,
    },
    {
        "name": "power",
        "address": 2,
        "type": "u16",
        "scale": "1",
        "unit": "W",
        "places": 0,
        "class": "gauge",
    },
]
_PROFILE = {
    "id": "meter",
    "function": 4,
    "word_order": "big",
    "byte_order": "big",
    "max_block_registers": 80,
    "points": _POINTS,
}


def read_settings(linger_ms: int, interval_ms: int) -> Settings:
    """The site's configuration, read as the gateway reads its own."""
    document: dict[str, Any] = {
        "gateway": {"id": GATEWAY, "tenant": TENANT, "key_file": "k", "journal": "j"},
        "uplink": {"broker": "mqtts://h", "linger_ms": linger_ms},
        "accounting": {"interval_s": interval_ms // 1000},
        "bus": [{"name": "a", "port": "p"}],
        "device": [
            {"name": name, "bus": "a", "station": station, "profile": "meter", "poll_ms": POLL_MS}
            for station, name in sorted(NAMES.items())
        ],
        "stream": [
            {
                "name": "grid",
                "kind": "grid_import",
                "point": "grid.energy",
                "factor": "electricity_fossil",
                "rated_kw": RATED_KW,
            },
            {"name": "line", "kind": "memo", "point": "line.energy", "rated_kw": RATED_KW},
        ],
    }
    return Settings(document, "sim", Library(lambda *_: _PROFILE, files.read_factors))


class SiteMeter:
    """A meter whose registers are a function of time; it remembers what it served.

    error: what the counter is wrong by for the next error_reads readings.
    """

    def __init__(self, station: int) -> None:
        self.station = station
        self.now_ms = 0
        self.error = 0
        self.error_reads = 0
        self.served: list[tuple[int, int, int]] = []  # world_ms, energy, power
        self._hours = [5_000_000 * station * HOUR_MS * COUNT_WH]

    def _load_w(self, hour: int) -> int:
        shift = 400_000 if 8 <= hour % 24 < 22 else 0
        return self.station * (120_000 + shift + 997 * (hour * 7 % 37))

    def truth(self, now_ms: int) -> tuple[int, int]:
        """(energy in 0.01 kW.h, power in 10 W): the integral of the load, and the load."""
        hour, rest_ms = divmod(now_ms, HOUR_MS)
        while len(self._hours) <= hour:
            self._hours.append(self._hours[-1] + self._load_w(len(self._hours) - 1) * HOUR_MS)
        load_w = self._load_w(hour)
        return (self._hours[hour] + rest_ms * load_w) // (HOUR_MS * COUNT_WH), load_w // 32

    def read(self, function: int, address: int, count: int) -> list[int] | int:
        """Registers now; exception 2 beyond them."""
        if function != 4 or address + count > 3:
            return 2
        energy, power = self.truth(self.now_ms)
        self.served.append((self.now_ms, energy, power))
        shown = energy
        if self.error_reads > 0:
            self.error_reads -= 1
            shown = (energy + self.error) % (1 << 32)
        return [shown >> 16 & 0xFFFF, shown & 0xFFFF, power][address : address + count]
