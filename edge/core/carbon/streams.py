"""Activity streams: what a measured point means for the carbon account.

A stream's cumulative quantity times `numerator`/`denominator` is milligrams of CO2, exactly; its
number stands for this definition, factor and method included, for a whole epoch.
"""

import hashlib
from collections import namedtuple

from edge.core.carbon.cems import Stack
from edge.core.errors import ConfigError
from edge.core.numbers import pack
from edge.core.numbers.fixed import power_of_ten
from edge.core.numbers.units import CANONICAL, ratio_to

#: What a kind means. scope: 1 direct, 2 bought energy, 0 memo; dimension of its activity;
#: emission, consumption: the sign with which it enters the emission total and the electricity
#: consumed inside the boundary.
Meaning = namedtuple("Meaning", ("scope", "dimension", "emission", "consumption"))

KINDS = {
    "grid_import": Meaning(2, "energy", 1, 1),
    "grid_export": Meaning(2, "energy", -1, -1),
    "green_direct": Meaning(2, "energy", 1, 1),
    "pv": Meaning(2, "energy", 1, 1),
    "battery_charge": Meaning(0, "energy", 0, -1),
    "battery_discharge": Meaning(0, "energy", 0, 1),
    "heat_import": Meaning(2, "heat", 1, 0),
    "heat_export": Meaning(2, "heat", -1, 0),
    "stack_co2": Meaning(1, "co2", 1, 0),
    "memo": Meaning(0, "energy", 0, 0),
}

#: Where a stream's values come from. inputs: (device, point, places) triples: one register of a
#: counter, or the fields of `cems.Sample` in their order. status: (device, point, accepted values)
#: or None. stack: `cems.Stack`, None for a counter.
Source = namedtuple("Source", ("inputs", "status", "stack"))

#: activity: (numerator, denominator) from the cumulative mantissa to `unit`; poll_ms: how often
#: the leading input is polled.
Stream = namedtuple(
    "Stream",
    (
        "number",
        "name",
        "kind",
        "unit",
        "activity",
        "numerator",
        "denominator",
        "factor",
        "factor_digest",
        "method",
        "poll_ms",
        "source",
        "source_digest",
    ),
)

#: An emission factor in micrograms CO2 per canonical unit of its dimension: exact integers.
Factor = namedtuple("Factor", ("id", "dimension", "ug_per_unit", "set_id", "set_digest"))

COUNTER_METHOD = "counter x factor, half-even to 1 mg at the close"


def counter_stream(
    number: int,
    name: str,
    kind: str,
    factor: Factor | None,
    unit: str,
    places: int,
    poll_ms: int,
    place: tuple[int, int],
    digest: bytes,
) -> Stream:
    """A stream over one cumulative register.

    place: (device, point) numbers. unit, places: of the register's readings. digest: its source's.
    factor: None only for kinds that emit nothing.
    Raises ConfigError "config.value" when unit, kind and factor do not fit each other.
    """
    meaning = KINDS[kind]
    up, down = ratio_to(unit, meaning.dimension)
    down = down * power_of_ten(places)
    _check_factor(name, meaning, factor)
    ug_per_unit = 0 if factor is None else factor.ug_per_unit
    return Stream(
        number,
        name,
        kind,
        CANONICAL[meaning.dimension],
        (up, down),
        up * ug_per_unit,
        down * 1000,
        "" if factor is None else factor.id,
        b"" if factor is None else factor.set_digest,
        COUNTER_METHOD,
        poll_ms,
        Source(((place[0], place[1], places),), None, None),
        digest,
    )


def _check_factor(name: str, meaning: Meaning, factor: Factor | None) -> None:
    if factor is None:
        if meaning.emission:
            raise ConfigError(
                "config.missing_key", file=name, key="factor", expected="a factor id"
            )
    elif factor.dimension != meaning.dimension:
        raise ConfigError(
            "config.value",
            file=name,
            key="factor",
            found=factor.id,
            expected="a factor for " + meaning.dimension,
        )


def stack_stream(number: int, name: str, poll_ms: int, source: Source, digest: bytes) -> Stream:
    """A stream over a stack's CEMS; its cumulative quantity is milligrams of CO2 already."""
    return Stream(
        number,
        name,
        "stack_co2",
        "mg",
        (1, 1),
        1,
        1,
        "",
        b"",
        source.stack.method.id,
        poll_ms,
        source,
        digest,
    )


def source_digest(places: list[list[object]], accepted: list[int], stack: Stack | None) -> bytes:
    """SHA-256 over where a stream's values come from: other wiring is another source.

    places: [device name, profile digest, point name] per input, a status last.
    accepted: status values that mean measuring.
    """
    parts: list[object] = [places, accepted]
    if stack is not None:
        parts.append([stack.method.id, list(stack.area_m2), stack.ambient_pa, stack.basis])
    return hashlib.sha256(pack.encode(parts)).digest()
