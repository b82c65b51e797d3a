"""A station as a device on the pair: how long it thinks, how it reboots, what its counters do."""

from dataclasses import dataclass
from fractions import Fraction

from hil_tests.emulator.noise import Noise
from hil_tests.emulator.profile import Profile
from hil_tests.emulator.station import Signals, Station


@dataclass(frozen=True)
class StationSpec:
    """One station of a scenario; sources and raw as emulator.station.Station takes them.

    jitter_ms: what the turnaround is longer at most, by the seed.
    is_twin: a second device on the number of another.
    """

    station: int
    name: str
    profile: Profile
    sources: dict[str, str | Fraction]
    raw: dict[str, tuple[int, ...]]
    functions: tuple[int, ...] | None
    turnaround_ms: int
    jitter_ms: int = 0
    is_twin: bool = False


class Device:
    """The device of `spec`; `is_paced` False: it answers at once.

    station: its registers.
    """

    def __init__(self, spec: StationSpec, seed: int, is_paced: bool = True) -> None:
        self.spec = spec
        self.station = Station(spec.station, spec.profile, spec.sources, spec.raw, spec.functions)
        self._seed = seed
        self._is_paced = is_paced
        self._answers = 0
        self._down_until_s = 0.0
        self._base: dict[str, tuple[Fraction, str]] = {}

    def next_turnaround_s(self) -> float:
        """From the end of the next request to the first byte of its reply."""
        self._answers += 1
        if not self._is_paced:
            return 0.0
        stream = f"turnaround {self.spec.station} {self.spec.is_twin}"
        jitter_us = Noise(self._seed, stream, self._answers).pick(0, 1000 * self.spec.jitter_ms)
        return self.spec.turnaround_ms / 1000 + jitter_us / 1e6

    def is_down(self, now_s: float) -> bool:
        """Whether it is still booting."""
        return now_s < self._down_until_s

    def reboot(self, until_s: float, restarts: bool, signals: Signals) -> None:
        """Be silent until monotonic `until_s`; if it `restarts`, its counters are 0 then."""
        self._down_until_s = until_s
        if not restarts:
            return
        sources: dict[str, str | Fraction] = dict(self.spec.sources)
        for point in self.spec.profile.points:
            if point.point_class != "counter":
                continue
            source = self.spec.sources.get(point.name)
            if isinstance(source, str):
                self._base[source] = signals[source]
                sources[point.name] = _since_reboot(source)
            else:
                sources[point.name] = Fraction(0)
        spec = self.spec
        self.station = Station(spec.station, spec.profile, sources, spec.raw, spec.functions)

    def see(self, signals: Signals) -> Signals:
        """The signals as this device counts them."""
        if not self._base:
            return signals
        counted = {
            _since_reboot(name): (signals[name][0] - base, unit)
            for name, (base, unit) in self._base.items()
        }
        return {**signals, **counted}


def _since_reboot(signal: str) -> str:
    return f"{signal} since reboot"
