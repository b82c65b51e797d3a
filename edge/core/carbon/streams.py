"""Activity streams: what a measured point means for the carbon account.

A stream's cumulative quantity times `numerator`/`denominator` is milligrams of CO2, exactly; its
number stands for this definition, factor and method included, for a whole epoch. Beside its main
basis a stream may have rates for others (national average, location-based, ...): each basis is
another result from the same quantities.
"""

from collections import namedtuple

from edge.core.carbon.counter import Limits
from edge.core.carbon.interval import TARIFF as TARIFF
from edge.core.carbon.kinds import KINDS as KINDS
from edge.core.carbon.sources import HOLD, Rules
from edge.core.carbon.sources import Source as Source
from edge.core.carbon.sources import source_digest as source_digest
from edge.core.errors import ConfigError
from edge.core.numbers.fixed import check_int64, power_of_ten
from edge.core.numbers.units import CANONICAL, RATIOS, ratio_to

#: A further basis: cumulative x numerator/denominator = mg CO2.
Rate = namedtuple("Rate", ("basis", "numerator", "denominator", "factor", "factor_digest"))

#: Standard coal in a stream: activity x numerator/denominator = g, under one accounting.
Coal = namedtuple("Coal", ("accounting", "numerator", "denominator", "factor", "factor_digest"))

#: One summand of a virtual meter: the stream it is taken from, and its integer weight.
Summand = namedtuple("Summand", ("stream", "weight"))

#: activity: (numerator, denominator) from the cumulative mantissa to `unit`; poll_ms: how often
#: the leading input is polled; basis: name of the main one; rates: `Rate` of the others; where:
#: the path of its place, "" for none; limits: how its register may move, None for a stack or a
#: virtual meter; summands: of a virtual meter; inputs: what a person calls its inputs; rules: of a
#: stack, None for others; coal: `Coal` by accounting.
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
        "basis",
        "rates",
        "where",
        "limits",
        "summands",
        "inputs",
        "rules",
        "coal",
    ),
)

#: Where two of these are: MicroPython has no `_replace`.
_SOURCE, _SUMMANDS = 11, 17

#: An emission factor in micrograms CO2 per canonical unit of its dimension: an exact integer, or
#: a (numerator, denominator) pair where 44/12 leaves none. That of a tariff has 1 in its place.
Factor = namedtuple("Factor", ("id", "dimension", "ug_per_unit", "set_id", "set_digest"))

#: What accompanies a stream beside its meter and main factor; see `Stream`. rates: (basis name,
#: Factor) pairs.
Setup = namedtuple("Setup", ("basis", "rates", "where", "inputs", "coal"))

PLAIN = Setup("", (), "", (), ())

COUNTER_METHOD = "counter x factor, half-even to 1 mg at the close"
VIRTUAL_METHOD = "sum of counters x factor, half-even to 1 mg at the close"

#: The most that can flow in an hour where nothing is configured, in canonical units: 500 MW,
#: 5,000,000 m3/h, 10,000 t/h are the largest that a park has.
MOST_PER_H = {
    "energy": 500_000_000,
    "heat": 1_800_000_000,
    "volume": 5_000_000_000,
    "mass": 10_000_000_000,
}


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
    setup: Setup = PLAIN,
    limits: Limits | None = None,
) -> Stream:
    """A stream over one cumulative register.

    place: (device, point) numbers. unit, places: of the register's readings. digest: its source's.
    factor: None only for kinds that emit nothing. limits: how the register may move;
    without a rating as much as any park's meter.
    Raises ConfigError "config.value" when unit, kind and factor do not fit each other.
    """
    dimension = _dimension(name, kind, factor, unit)
    up, down = ratio_to(unit, dimension)
    down = down * power_of_ten(places)
    known = Limits(None, 0, False, 1) if limits is None else limits
    if not known.is_rated:
        most = -(-MOST_PER_H[dimension] * down // up)
        known = Limits(known.modulus, most, False, known.step)
    source = Source(((place[0], place[1], places),), None, None)
    head = (number, name, kind, CANONICAL[dimension], (up, down))
    return _assemble(head, factor, COUNTER_METHOD, poll_ms, source, digest, setup, known, ())


def virtual_stream(
    number: int,
    name: str,
    kind: str,
    factor: Factor | None,
    dimension: str,
    denominator: int,
    poll_ms: int,
    summands: tuple[Summand, ...],
    digest: bytes,
    setup: Setup = PLAIN,
) -> Stream:
    """A stream whose cumulative quantity is a weighted sum of other streams' ones.

    denominator: sum of weight x cumulative, over this, is the activity in the canonical unit.
    Raises ConfigError "config.value" when kind and factor do not fit the dimension.
    """
    unit = CANONICAL[dimension]
    _dimension(name, kind, factor, unit)
    source = Source((), None, None)
    head = (number, name, kind, unit, (1, denominator))
    return _assemble(head, factor, VIRTUAL_METHOD, poll_ms, source, digest, setup, None, summands)


def _assemble(
    head: tuple,
    factor: Factor | None,
    method: str,
    poll_ms: int,
    source: Source,
    digest: bytes,
    setup: Setup,
    limits: Limits | None,
    summands: tuple[Summand, ...],
) -> Stream:
    """head: number, name, kind, unit, activity."""
    up, down = head[4]
    rates = []
    for basis, other in setup.rates:
        _dimension(head[1], head[2], other, head[3])
        rates.append(Rate(basis, *mg_ratio(other, up, down), other.id, other.set_digest))
    main = ("", b"") if factor is None else (factor.id, factor.set_digest)
    wired = (method, poll_ms, source, digest)
    rest = (setup.basis, tuple(rates), setup.where, limits, summands, setup.inputs)
    ratio = mg_ratio(factor, up, down)
    return Stream(*(head + ratio + main + wired + rest + (None, setup.coal)))


def numbered(draft: Stream, devices: list[int], streams: list[int]) -> Stream:
    """A draft, which names devices and streams by their places, with their numbers instead.

    devices: the number per device; streams: per stream before it. Its own number stays.
    """
    given = draft.source
    inputs = tuple((devices[place[0]],) + tuple(place[1:]) for place in given.inputs)
    status = given.status
    if status is not None:
        status = (devices[status[0]],) + tuple(status[1:])
    source = Source(inputs, status, given.stack)
    summands = tuple(Summand(streams[part.stream], part.weight) for part in draft.summands)
    middle = tuple(draft[_SOURCE + 1 : _SUMMANDS])
    rest = tuple(draft[_SUMMANDS + 1 :])
    return Stream(*(tuple(draft[:_SOURCE]) + (source,) + middle + (summands,) + rest))


def mg_ratio(factor: Factor | None, up: int, down: int) -> tuple[int, int]:
    """mg CO2 per cumulative mantissa as (numerator, denominator) of 64 bits at most."""
    if factor is None:
        return 0, down * 1000
    mass = factor.ug_per_unit
    above, below = (mass, 1) if isinstance(mass, int) else (mass[0], mass[1])
    numerator, denominator = up * above, down * 1000 * below
    if numerator >> 62 or denominator >> 62:
        divisor, rest = numerator, denominator
        while rest:
            divisor, rest = rest, divisor % rest
        numerator, denominator = numerator // divisor, denominator // divisor
    check_int64(numerator, "numerator of " + factor.id)
    return numerator, check_int64(denominator, "denominator of " + factor.id)


def _dimension(name: str, kind: str, factor: Factor | None, unit: str) -> str:
    """The dimension of a stream's activity, with kind, factor and unit agreeing on it."""
    meaning = KINDS[kind]
    dimension: str = meaning.dimension
    if dimension == "any":
        if factor is not None:
            dimension = factor.dimension
        else:
            dimension = RATIOS[unit][0] if unit in RATIOS else "energy"
    if factor is None:
        if meaning.emission:
            raise ConfigError(
                "config.missing_key", file=name, key="factor", expected="a factor id"
            )
    elif factor.dimension != dimension:
        raise ConfigError(
            "config.value",
            file=name,
            key="factor",
            found=factor.id,
            expected="a factor for " + dimension,
        )
    return dimension


def stack_stream(
    number: int,
    name: str,
    poll_ms: int,
    source: Source,
    digest: bytes,
    setup: Setup = PLAIN,
    rules: Rules = HOLD,
) -> Stream:
    """A stream over a stack's CEMS; its cumulative quantity is milligrams of CO2 already."""
    method = source.stack.method.id
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
        method if rules.family == HOLD.family else method + "+" + rules.family,
        poll_ms,
        source,
        digest,
        setup.basis,
        (),
        setup.where,
        None,
        (),
        setup.inputs,
        rules,
        (),
    )
