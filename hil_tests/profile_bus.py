"""Every shipped profile as a station on emulated buses without pacing, for tests."""

import random
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

from edge.core.bus.block import Block
from edge.core.bus.plan import line_timing, plan_blocks
from edge.core.bus.profile import Profile, parse_profile
from edge.ports.linux.files import parse_toml
from hil_tests.emulator import profile as played
from hil_tests.emulator.device import StationSpec
from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.scenario import BusSpec, Scenario

BAUD = 115_200
BUSES = 2
SEED = 20_251

#: A share of the registers holds what devices use for "no value", so that sentinels occur.
_MARKS = (0xFFFF, 0x7FFF, 0x8000, 0x7FC0, 0)


class Seat(NamedTuple):
    """One profile at its place: read by the gateway's code, played by the emulator's."""

    bus: str
    station: int
    profile: Profile
    played: played.Profile

    @property
    def blocks(self) -> tuple[Block, ...]:
        """What one poll of every point reads."""
        return plan_blocks(self.profile.points, self.profile, line_timing(BAUD, 10))


def seats() -> list[Seat]:
    """All profiles, dealt to the buses."""
    found = []
    for index, name in enumerate(played.list_profiles()):
        path = played.PROFILE_DIR / f"{name}.toml"
        document: dict[str, Any] = parse_toml(path.read_bytes(), str(path))
        bus, station = f"bus{index % BUSES}", 1 + index // BUSES
        found.append(Seat(bus, station, parse_profile(document), played.read_profile(path)))
    return found


def figures(model: played.Profile) -> dict[str, str | Fraction]:
    """A figure for every plain value, other than 0, that its type can hold to the last place."""
    draw = random.Random(f"{SEED} {model.id}")
    scalers = {(p.function, p.exponent[0]) for p in model.points if p.exponent}
    told: dict[str, str | Fraction] = {}
    for point in model.points:
        if len(point.parts) > 1 or (point.function, point.address) in scalers:
            continue
        kind = point.parts[0].type
        raw = draw.randint(1, {"bit": 1, "u8_": 255, "bcd": 9999}.get(kind[:3], 20_000))
        if kind.startswith("f") or point.exponent:
            told[point.name] = Fraction(raw) / Fraction(10) ** point.places
        else:
            told[point.name] = raw * point.parts[0].scale + point.offset
    return told


def patterns(model: played.Profile) -> dict[str, tuple[int, ...]]:
    """Registers without any meaning for every value."""
    draw = random.Random(f"{SEED} {model.id} raw")

    def word(function: int) -> int:
        if function in (1, 2):
            return draw.randint(0, 1)
        return draw.choice((draw.randint(0, 0xFFFF), draw.choice(_MARKS)))

    return {p.name: tuple(word(p.function) for _ in range(p.width)) for p in model.points}


def scenario(places: list[Seat], is_raw: bool) -> Scenario:
    """Buses on which every station holds figures, or, `is_raw`, patterns."""
    buses = []
    for name in sorted({seat.bus for seat in places}):
        stations = tuple(
            StationSpec(
                seat.station,
                seat.profile.id,
                seat.played,
                {} if is_raw else figures(seat.played),
                patterns(seat.played) if is_raw else {},
                None,
                0,
            )
            for seat in places
            if seat.bus == name
        )
        buses.append(BusSpec(name, BAUD, "8N1", None, stations))
    return Scenario("every profile", SEED, tuple(buses))


def play(places: list[Seat], directory: Path, is_raw: bool) -> Emulator:
    """An emulator of all of them, its ledger in `directory`."""
    return Emulator(scenario(places, is_raw), directory / "ledger.db", directory, is_paced=False)


def registers_at(
    words: dict[tuple[int, int], int], function: int, address: int, count: int
) -> Iterator[int]:
    """`count` registers from what was read."""
    return (words[function, address + index] for index in range(count))
