"""What instruments in the factory can see: named values in declared units.

`plan_signals` gives every signal of one second from the factory's state; nothing here is summed,
so that nothing here can upset the balance.
"""

from collections.abc import Iterator
from fractions import Fraction

from hil_tests.emulator.factory import (
    BATTERY_WH,
    DAY_S,
    Factory,
    State,
    split_phases,
    square_root,
)
from hil_tests.emulator.noise import wander

#: (name, value, unit)
Signal = tuple[str, Fraction, str]

_WS_PER_KWH = 3_600_000

#: Fuel power per useful heat of the boiler, and natural gas: 56.1 kg CO2 per GJ.
_BOILER_PERCENT = 90
_CO2_KG_PER_GJ = Fraction(561, 10)
_CO2_G_PER_MOL = Fraction(4401, 100)
_MOLAR_L = Fraction(22414, 1000)
_MAX_DRY_CO2_PERCENT = Fraction(117, 10)
_AIR_O2_PERCENT = Fraction(209, 10)

#: Inner area of the stack where its velocity is measured: 0.4 m across.
STACK_AREA_M2 = Fraction(12566, 100_000)

_ZERO_CHECK_S = range(7_200, 7_800)
_SPAN_CHECK_S = range(7_800, 8_400)
_MEASURING, _ZERO, _SPAN = 1, 2, 3


def plan_signals(seed: int, state: State) -> dict[str, tuple[Fraction, str]]:
    """Every signal at `state`: name -> (value, UCUM unit)."""
    signals: dict[str, tuple[Fraction, str]] = {}
    for group in (_grid, _line1, _pv, _battery, _steam, _stack):
        for name, value, unit in group(seed, state):
            signals[name] = (Fraction(value), unit)
    return signals


def list_units() -> dict[str, str]:
    """The unit of every signal there is."""
    signals = plan_signals(0, Factory(0, 0).at(0))
    return {name: unit for name, (_, unit) in signals.items()}


def _grid(seed: int, state: State) -> Iterator[Signal]:
    powers = state.powers
    sign = -1 if powers.grid_export else 1
    size = powers.grid_import + powers.grid_export
    yield from _meter("grid", seed, state, sign, size, powers.grid_reactive)
    yield from _energies("grid", "import", state, "grid_import", "kW.h", "active")
    yield from _energies("grid", "export", state, "grid_export", "kW.h", "active")
    yield from _energies("grid", "import", state, "grid_reactive", _KVARH, "reactive")
    counters = state.counters
    for phase in ("", "_l1", "_l2", "_l3"):
        both = counters["grid_import" + phase] + counters["grid_export" + phase]
        yield "grid_active_energy_total" + phase, Fraction(both, _WS_PER_KWH), "kW.h"
    reactive = Fraction(counters["grid_reactive"], _WS_PER_KWH)
    yield "grid_reactive_energy_total", reactive, _KVARH
    yield "grid_apparent_energy_total", _kwh(counters["grid_apparent"]), "kV.A.h"
    elapsed_s = state.second % 900
    demand = Fraction(state.quarter_import, elapsed_s) if elapsed_s else powers.grid_import
    yield "grid_active_power_demand", Fraction(demand), "W"


def _line1(seed: int, state: State) -> Iterator[Signal]:
    powers = state.powers
    yield from _meter("line1", seed, state, 1, powers.line1, powers.line1_reactive)
    yield from _energies("line1", "import", state, "line1", "kW.h", "active")
    yield from _energies("line1", "import", state, "line1_reactive", _KVARH, "reactive")
    yield "line1_apparent_energy_total", _kwh(state.counters["line1_apparent"]), "kV.A.h"


def _pv(seed: int, state: State) -> Iterator[Signal]:
    yield from _meter("pv", seed, state, 1, state.powers.pv, 0)
    yield from _energies("pv", "import", state, "pv", "kW.h", "active")


_KVARH = "kV.A.h{reactive}"


def _kwh(watt_seconds: int) -> Fraction:
    return Fraction(watt_seconds, _WS_PER_KWH)


def _energies(
    meter: str, way: str, state: State, counter: str, unit: str, kind: str
) -> Iterator[Signal]:
    for phase in ("", "_l1", "_l2", "_l3"):
        name = f"{meter}_{kind}_energy_{way}{phase}"
        yield name, _kwh(state.counters[counter + phase]), unit


def _voltages_mv(seed: int, second: int) -> tuple[int, ...]:
    """The three phase voltages of the plant's one low-voltage bus."""
    common = wander(seed, "voltage", second, 120, 228_500, 233_500)
    return tuple(common + wander(seed, f"voltage{k}", second, 30, -600, 600) for k in range(3))


def _meter(
    meter: str, seed: int, state: State, sign: int, size_w: int, reactive: int
) -> Iterator[Signal]:
    """What a three-phase meter shows for a power of `size_w`, exported if `sign` is -1."""
    volts = [Fraction(mv, 1000) for mv in _voltages_mv(seed, state.second)]
    actives, reactives = split_phases(size_w), split_phases(reactive)
    current_sum = Fraction(0)
    for phase, watts, var, volt in zip("123", actives, reactives, volts, strict=True):
        apparent = square_root(watts**2 + var**2)
        current_sum += apparent / volt
        yield f"{meter}_voltage_l{phase}", volt, "V"
        yield f"{meter}_current_l{phase}", apparent / volt, "A"
        yield f"{meter}_active_power_l{phase}", Fraction(sign * watts), "W"
        yield f"{meter}_apparent_power_l{phase}", Fraction(apparent), "V.A"
        yield f"{meter}_reactive_power_l{phase}", Fraction(var), "V.A{reactive}"
        yield f"{meter}_power_factor_l{phase}", _factor(sign * watts, apparent), "1"
    for first, second in ("12", "23", "31"):
        pair = volts[int(first) - 1] + volts[int(second) - 1]
        yield f"{meter}_voltage_l{first}_l{second}", pair * Fraction(866, 1000), "V"
    mean = sum(volts, Fraction(0)) / 3
    apparent = square_root(size_w**2 + reactive**2)
    millihertz = wander(seed, "frequency", state.second, 20, 49_960, 50_040)
    yield f"{meter}_voltage_ln_avg", mean, "V"
    yield f"{meter}_voltage_ll_avg", mean * Fraction(1732, 1000), "V"
    yield f"{meter}_current_sum", current_sum, "A"
    yield f"{meter}_current_n", current_sum / 100, "A"
    yield f"{meter}_active_power_total", Fraction(sign * size_w), "W"
    yield f"{meter}_apparent_power_total", Fraction(apparent), "V.A"
    yield f"{meter}_reactive_power_total", Fraction(reactive), "V.A{reactive}"
    yield f"{meter}_power_factor_total", _factor(sign * size_w, apparent), "1"
    yield f"{meter}_frequency", Fraction(millihertz, 1000), "Hz"


def _factor(active: int, apparent: int) -> Fraction:
    return Fraction(active, apparent) if apparent else Fraction(1)


def _battery(seed: int, state: State) -> Iterator[Signal]:
    power = state.powers.charge - state.powers.discharge
    percent = Fraction(state.soc_permille, 10)
    volt = Fraction(672) + percent * Fraction(96, 100) + Fraction(power, 10_000)
    cell = volt / 224
    celsius = 27 + Fraction(wander(seed, "battery", state.second, 900, -15, 25), 10)
    yield "battery_power", Fraction(power), "W"
    yield "battery_voltage", volt, "V"
    # Positive while charging.
    yield "battery_current", power / volt, "A"
    yield "battery_soc", percent, "%"
    yield "battery_temperature", celsius, "Cel"
    discharged_wh = state.counters["discharge"] // 3_600
    yield "battery_cycles", Fraction(discharged_wh // BATTERY_WH), "1"
    yield "battery_cell_voltage_max", cell + Fraction(8, 1000), "V"
    yield "battery_cell_voltage_min", cell - Fraction(11, 1000), "V"
    yield "battery_module_voltage_max", cell * 16 + Fraction(5, 100), "V"
    yield "battery_module_voltage_min", cell * 16 - Fraction(6, 100), "V"
    yield "battery_temperature_max", celsius + Fraction(17, 10), "Cel"
    yield "battery_temperature_min", celsius - Fraction(14, 10), "Cel"


def _steam(seed: int, state: State) -> Iterator[Signal]:
    centibar = wander(seed, "steam_pressure", state.second, 180, 770, 830)
    yield "steam_mass_total", Fraction(state.counters["steam"], 3_600), "kg"
    yield "steam_mass_flow", Fraction(state.powers.steam), "kg/h"
    yield "steam_pressure", Fraction(centibar, 100), "bar"
    # Near saturation around 8 bar gauge: about 4.6 K a bar.
    saturated = Fraction(17_540, 100) + Fraction(46, 1000) * (centibar - 800)
    yield "steam_temperature", saturated + 3, "Cel"
    yield "steam_water_flow", Fraction(state.powers.steam), "L/h"
    yield "steam_thermal_power", Fraction(state.powers.heat), "W"
    yield "steam_heat_energy", _kwh(state.counters["heat"]), "kW.h"


def _stack(seed: int, state: State) -> Iterator[Signal]:
    """The boiler's flue gas: CO2 follows the fuel, velocity follows from the CO2 share."""
    second = state.second
    celsius = Fraction(wander(seed, "stack_temperature", second, 200, 11_500, 12_800), 100)
    draught = Fraction(wander(seed, "stack_pressure", second, 40, -1_450, -950), 10)
    moisture = Fraction(wander(seed, "moisture", second, 300, 15_400, 16_600), 1000)
    co2 = Fraction(wander(seed, "co2", second, 90, 7_900, 8_500), 1000)
    dry_co2 = co2 * 100 / (100 - moisture)
    dry_o2 = _AIR_O2_PERCENT * (1 - dry_co2 / _MAX_DRY_CO2_PERCENT)
    fuel_w = Fraction(state.powers.heat * 100, _BOILER_PERCENT)
    co2_g_per_s = fuel_w * _CO2_KG_PER_GJ / 1_000_000
    normal_m3_per_s = co2_g_per_s / _CO2_G_PER_MOL * _MOLAR_L / 1000 * 100 / co2
    kelvin = celsius + Fraction(27315, 100)
    expansion = kelvin / Fraction(27315, 100) * 101_325 / (101_325 + draught)
    velocity = normal_m3_per_s * expansion / STACK_AREA_M2
    yield "stack_temperature", celsius, "Cel"
    yield "stack_static_pressure", draught, "Pa"
    yield "stack_velocity", velocity, "m/s"
    yield "stack_dynamic_pressure", velocity**2 * Fraction(43, 100), "Pa"
    yield "stack_moisture", moisture, "%{vol}"
    yield "stack_co2", co2, "%{vol}"
    yield "stack_o2", dry_o2 * (100 - moisture) / 100, "%{vol}"
    yield "stack_co2_mass_flow", co2_g_per_s * Fraction(36, 10), "kg/h"
    yield "stack_so2", Fraction(wander(seed, "so2", second, 120, 500, 1_100), 100), "mg/m3"
    nox = Fraction(wander(seed, "nox", second, 120, 4_600, 6_400), 100)
    yield "stack_nox", nox, "mg/m3"
    yield "stack_no", nox * Fraction(62, 100), "mg/m3"
    yield from _dust(seed, state)


def _dust(seed: int, state: State) -> Iterator[Signal]:
    """The particulate monitor, which checks its zero and span each night at two."""
    time_of_day = state.second % DAY_S
    dust = Fraction(wander(seed, "dust", state.second, 60, 240, 460), 100)
    mode = _MEASURING
    if time_of_day in _ZERO_CHECK_S:
        mode, dust = _ZERO, Fraction(0)
    elif time_of_day in _SPAN_CHECK_S:
        mode, dust = _SPAN, Fraction(16)
    yield "stack_dust", dust, "mg/m3"
    yield "stack_dust_raw", 4 + dust * Fraction(8, 10), "1"
    yield "stack_analyzer_state", Fraction(mode), "1"
