"""Units of signals and points, as UCUM codes, and the exact factors between them."""

from fractions import Fraction

#: code -> (what it measures, size in the unit that this table measures it in)
_UNITS = {
    "W": ("power", Fraction(1)),
    "kW": ("power", Fraction(1000)),
    "MW": ("power", Fraction(1_000_000)),
    "W.h": ("energy", Fraction(1)),
    "kW.h": ("energy", Fraction(1000)),
    "MW.h": ("energy", Fraction(1_000_000)),
    "kJ": ("energy", Fraction(10, 36)),
    "MJ": ("energy", Fraction(10_000, 36)),
    "GJ": ("energy", Fraction(10_000_000, 36)),
    "V.A": ("apparent power", Fraction(1)),
    "kV.A": ("apparent power", Fraction(1000)),
    "V.A.h": ("apparent energy", Fraction(1)),
    "kV.A.h": ("apparent energy", Fraction(1000)),
    "V.A{reactive}": ("reactive power", Fraction(1)),
    "kV.A{reactive}": ("reactive power", Fraction(1000)),
    "V.A.h{reactive}": ("reactive energy", Fraction(1)),
    "kV.A.h{reactive}": ("reactive energy", Fraction(1000)),
    "mV": ("voltage", Fraction(1, 1000)),
    "V": ("voltage", Fraction(1)),
    "mA": ("current", Fraction(1, 1000)),
    "A": ("current", Fraction(1)),
    "Pa": ("pressure", Fraction(1)),
    "kPa": ("pressure", Fraction(1000)),
    "bar": ("pressure", Fraction(100_000)),
    "kg": ("mass", Fraction(1)),
    "t": ("mass", Fraction(1000)),
    "kg/h": ("mass flow", Fraction(1)),
    "t/h": ("mass flow", Fraction(1000)),
    "L/h": ("volume flow", Fraction(1)),
    "m3/h": ("volume flow", Fraction(1000)),
}


def unit_factor(source: str, target: str) -> Fraction | None:
    """What a value in `source` is multiplied by to be one in `target`; None if it can't be."""
    if source == target:
        return Fraction(1)
    if source not in _UNITS or target not in _UNITS:
        return None
    (source_kind, source_size), (target_kind, target_size) = _UNITS[source], _UNITS[target]
    return source_size / target_size if source_kind == target_kind else None
