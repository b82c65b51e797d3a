"""The factory: exact balance, determinism, plausibility, over a whole day."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from hil_tests.emulator.device import StationSpec
from hil_tests.emulator.emulator import DEFAULT_START_S, Emulator
from hil_tests.emulator.factory import DAY_S, Factory, State, split_phases, square_root
from hil_tests.emulator.frame import Request
from hil_tests.emulator.judge import judge_point
from hil_tests.emulator.ledger import read_replies
from hil_tests.emulator.profile import Point
from hil_tests.emulator.scenario import FACTORY_DAY, read_scenario
from hil_tests.emulator.signals import STACK_AREA_M2, list_units, plan_signals
from hil_tests.emulator.station import Signals, Station, plausible_value
from hil_tests.emulator.units import unit_factor
from hil_tests.ptys import TtyMaster, read_request

SEED = 20260701


def states(seed: int, start_s: int, seconds: int, step_s: int = 1) -> Iterator[State]:
    factory = Factory(seed, start_s)
    for second in range(start_s, start_s + seconds + 1, step_s):
        yield factory.at(second)


def balance(figures: dict[str, int]) -> int:
    bought = figures["grid_import"] - figures["grid_export"]
    supplied = bought + figures["pv"] + figures["discharge"] - figures["charge"]
    return supplied - figures["load"]


def test_balance_holds_each_second_and_in_every_sum_of_a_day() -> None:
    before: State | None = None
    for state in states(SEED, DEFAULT_START_S, DAY_S):
        powers = state.powers._asdict()
        assert balance(powers) == 0
        assert balance(state.counters) == 0
        assert 0 <= powers["line1"] <= powers["load"]
        assert min(powers.values()) >= 0
        assert powers["grid_import"] == 0 or powers["grid_export"] == 0
        assert powers["charge"] == 0 or powers["discharge"] == 0
        if before is not None:
            # A counter moves by exactly the power of the second that has passed.
            for name, watts in before.powers._asdict().items():
                assert state.counters[name] - before.counters[name] == watts
        for name in ("grid_import", "grid_export", "pv", "line1"):
            phases = [state.counters[f"{name}_l{phase}"] for phase in "123"]
            assert sum(phases) == state.counters[name]
        before = state


def test_a_day_has_everything_in_it() -> None:
    seen: dict[str, set[bool]] = {}
    soc = []
    for state in states(SEED, 0, DAY_S, 30):
        for name, watts in state.powers._asdict().items():
            seen.setdefault(name, set()).add(watts > 0)
        soc.append(state.soc_permille)
    for name in ("pv", "charge", "discharge", "grid_import", "grid_export"):
        assert seen[name] == {True, False}, name
    assert 100 <= min(soc) < max(soc) <= 960


def test_same_seed_same_factory_whatever_the_steps() -> None:
    start_s = DEFAULT_START_S
    fine = list(states(SEED, start_s, 900, 1))[-1]
    coarse = Factory(SEED, start_s).at(start_s + 900)
    other = Factory(SEED + 1, start_s).at(start_s + 900)
    assert fine == coarse
    assert fine.counters != other.counters
    assert plan_signals(SEED, fine) == plan_signals(SEED, coarse)


def test_the_factory_does_not_go_back() -> None:
    factory = Factory(SEED, 0)
    later = factory.at(50)
    assert factory.at(10) == later
    # What it gave is a copy: the next step does not reach into it.
    counters = dict(later.counters)
    factory.at(51)
    assert later.counters == counters


def test_grid_meter_shows_import_positive_and_export_negative() -> None:
    signs = set()
    for state in states(SEED, 0, DAY_S, 600):
        signals = {name: value for name, (value, _) in plan_signals(SEED, state).items()}
        powers = state.powers
        net = powers.grid_import - powers.grid_export
        assert signals["grid_active_power_total"] == net
        assert sum(signals[f"grid_active_power_l{phase}"] for phase in "123") == net
        assert signals["grid_power_factor_total"] * net >= 0
        assert signals["battery_power"] == powers.charge - powers.discharge
        assert signals["battery_current"] * signals["battery_power"] >= 0
        signs.add(net > 0)
    assert signs == {True, False}


def test_stack_agrees_with_the_fuel() -> None:
    """Concentration, velocity, pressure and temperature give back the CO2 of the gas burnt."""
    for second in (0, 30_000, 60_000):
        state = Factory(SEED, second).at(second)
        signals = {name: value for name, (value, _) in plan_signals(SEED, state).items()}
        actual_m3_h = signals["stack_velocity"] * STACK_AREA_M2 * 3600
        kelvin = signals["stack_temperature"] + Fraction("273.15")
        pressure = 101_325 + signals["stack_static_pressure"]
        normal_m3_h = actual_m3_h * Fraction("273.15") / kelvin * pressure / 101_325
        co2_kg_h = (
            normal_m3_h * signals["stack_co2"] / 100 * Fraction("44.01") / Fraction("22.414")
        )
        assert co2_kg_h == signals["stack_co2_mass_flow"]
        assert 5 <= signals["stack_moisture"] <= 20
        assert 1 <= signals["stack_o2"] <= 6
        assert 2 <= signals["stack_velocity"] <= 8


def test_dust_monitor_checks_itself_at_night_only() -> None:
    modes = {}
    for second in (3_600, 7_300, 7_900, 8_400, DEFAULT_START_S):
        state = Factory(SEED, second).at(second)
        modes[second] = int(plan_signals(SEED, state)["stack_analyzer_state"][0])
    assert modes == {3_600: 1, 7_300: 2, 7_900: 3, 8_400: 1, DEFAULT_START_S: 1}


@pytest.mark.parametrize("total", [0, 1, 2, 99, 100, 123_457])
def test_phases_sum_to_the_total(total: int) -> None:
    parts = split_phases(total)
    assert sum(parts) == total
    assert min(parts) >= 0


def test_square_root_is_the_integer_one() -> None:
    for root in (0, 1, 2, 3, 1000, 123_456_789):
        assert square_root(root**2) == root
        assert square_root(root**2 + 2 * root) == root


def specs() -> list[StationSpec]:
    return list(read_scenario(FACTORY_DAY).buses[0].stations)


def read_point(station: Station, point: Point, second: int, signals: Signals) -> Fraction:
    """What a master makes of `point`, through the judge."""
    request = Request(station.number, point.function, point.address, point.width)
    assert station.check(request) is None
    words = struct.unpack(f">{point.width}H", station.read(request, second, signals))
    mantissa = judge_point(words, point, station.profile)
    assert mantissa is not None
    return Fraction(mantissa, 10**point.places)


@pytest.mark.parametrize("spec", specs(), ids=lambda spec: spec.name)
def test_every_figure_of_the_day_fits_its_register(spec: StationSpec) -> None:
    """No point of the factory day is clamped: registers hold the signal to half a step."""
    station = Station(spec.station, spec.profile, spec.sources)
    units = list_units()
    for second in range(0, DAY_S, 7_200):
        signals = plan_signals(SEED, Factory(SEED, second).at(second))
        for point in spec.profile.points:
            source = spec.sources.get(point.name, plausible_value(point))
            wanted = source
            if isinstance(source, str):
                wanted = signals[source][0] * (unit_factor(units[source], point.unit) or 0)
            assert isinstance(wanted, Fraction)
            held = read_point(station, point, second, signals)
            step = abs(wanted) / 2**23 if point.type == "f32" else point.scale
            slack = step / 2 + Fraction(1, 2 * 10**point.places)
            assert abs(held - wanted) <= slack, point.name


def test_same_seed_serves_the_same_registers_at_the_same_second(tmp_path: Path) -> None:
    """Two runs through real ttys, polled at their own moments, agree wherever they meet."""
    served = []
    for run in "ab":
        ledger = tmp_path / f"{run}.db"
        emulator = Emulator(read_scenario(FACTORY_DAY), ledger, speed=40)
        with emulator, TtyMaster(emulator.ports["bus1"]) as master:
            for _ in range(25):
                master.ask(read_request(1, 4, 52, 2), 9)
        rows = read_replies(ledger, "bus1", 1)
        served.append({row.factory_s: row.registers for row in rows})
    shared = served[0].keys() & served[1].keys()
    assert len(shared) >= 5
    assert {second: served[0][second] for second in shared} == {
        second: served[1][second] for second in shared
    }
    assert len(set(served[0].values())) > 5
