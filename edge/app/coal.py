"""Standard coal of the streams: which equivalent each has under the accountings that a site names.

An accounting is a sum over all energy that comes in or goes out, so a stream that could be left
out by oversight is refused: it has a table, its fuel's own heating value, or none of this is asked
for.
"""

from edge.core.carbon.coal import coal_factor, fuel_coal_ratio
from edge.core.carbon.fuels import find_fuel, multiply
from edge.core.carbon.streams import KINDS, Coal
from edge.core.errors import DataError
from edge.core.numbers.units import ratio_to

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.config import Settings
    from edge.core.carbon.factors import FactorSet

#: Kinds that carry no energy of their own over the boundary.
NO_ENERGY = ("certificate", "stack_co2", "process_output")


def read_coal(settings: "Settings", item: dict, where: str, unit: str) -> tuple[Coal, ...]:
    """`Coal` for each accounting of the site; unit: canonical, of the stream's activity.

    Raises ConfigError.
    """
    named = item.get("coal", {})
    counts = KINDS[item["kind"]].emission != 0 and item["kind"] not in NO_ENERGY
    if named and not counts:
        expected = "a kind that brings energy in or takes it out"
        settings.refuse(where + ".coal", item["kind"], expected)
    for accounting in named:
        if accounting not in settings.coal:
            expected = "one of accounting.coal"
            settings.refuse(where + ".coal", accounting, expected)
    if not counts:
        return ()
    return tuple([_of(settings, item, where, unit, accounting) for accounting in settings.coal])


def _of(settings: "Settings", item: dict, where: str, unit: str, accounting: str) -> Coal:
    key = where + ".coal." + accounting
    named = item.get("coal", {})
    if accounting in named:
        set_name, dot, name = named[accounting].partition(".")
        if not dot:
            set_name, name = "", named[accounting]
        found = settings.factor_set(set_name, key)
        return _named(settings, item, key, unit, (accounting, found, name))
    if "fuel" in item:
        set_name, dot, name = item["fuel"].partition(".")
        if not dot:
            set_name, name = "", item["fuel"]
        found = settings.factor_set(set_name, key)
        fuel = find_fuel(found.fuels, name, settings.file, key)
        try:
            ratio = fuel_coal_ratio(fuel, unit)
            return Coal(accounting, ratio[0], ratio[1], name, found.digest)
        except DataError:
            pass
    settings.missing(key, "an equivalent, set.id")
    raise KeyError(key)


def _named(
    settings: "Settings", item: dict, key: str, unit: str, wanted: "tuple[str, FactorSet, str]"
) -> Coal:
    """wanted: the accounting, the set and the id of the equivalent in it."""
    accounting, found, name = wanted
    known = {e.accounting: e.dimension for e in found.equivalents if e.id == name}
    table = accounting if accounting in known else "either"
    # Only electricity has tables of both kinds: other energy may be named by its heat.
    if table not in known and KINDS[item["kind"]].dimension != "energy":
        table = "equivalent"
    if table not in known:
        expected = "an equivalent that a set has under " + accounting
        settings.refuse(key, found.id + "." + name, expected)
    try:
        # It may count by heat what the stream measures as electricity.
        scale = ratio_to(unit, known[table])
    except DataError:
        settings.refuse(key, name + " for " + unit, "an equivalent of what is measured")
    under = accounting if table == "either" else table
    ratio = multiply(coal_factor(found, name, unit, under), scale)
    return Coal(accounting, ratio[0], ratio[1], name, found.digest)
