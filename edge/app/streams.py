"""The [[stream]] and [[place]] tables of gateway.toml as validated settings."""

from collections import namedtuple

from edge.core.carbon.boundary import Node, Place, check_boundary, flatten, place_paths
from edge.core.carbon.factors import FactorSet
from edge.core.carbon.fuels import FULL, emission_ratio, find_fuel
from edge.core.carbon.streams import KINDS, TARIFF, Factor
from edge.core.errors import ConfigError, DataError
from edge.core.numbers.fixed import PLACES_MAX, parse_decimal, power_of_ten
from edge.core.numbers.units import CANONICAL, RATIOS, ratio_to
from edge.core.schema import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.config import Settings

#: A stream with its input as (device index, point index), None for a virtual meter; stack: None
#: for a counter, else as `stacks.read_stack` gives it; coal: `Coal` by accounting;
#: rates: (basis, Factor) of the further bases; most_per_h: the rating as a mantissa, or None;
#: place: path in the tree; summands: (stream name, numerator, denominator), flattened to meters.
StreamSetting = namedtuple(
    "StreamSetting",
    (
        "name",
        "kind",
        "input",
        "factor",
        "stack",
        "rates",
        "most_per_h",
        "place",
        "summands",
        "dimension",
        "coal",
    ),
)

#: kW of a rating in the canonical unit per hour: W.h and kJ.
_KW = {"energy": 1000, "heat": 3600}


class StreamReader:
    """Reads the tables that say what is accounted; raises ConfigError."""

    def __init__(self, settings: "Settings", document: dict) -> None:
        """settings: with buses, devices and factor sets resolved already."""
        self._settings = settings
        self._items = document.get("stream", [])
        places = [
            Place(item["name"], item["level"], item.get("within", ""))
            for item in document.get("place", [])
        ]
        self._paths = place_paths(places, settings.file)
        self._flat: dict[str, list[tuple[str, int, int]]] = {}
        self._dimensions: dict[str, str] = {}

    def read(self) -> list[StreamSetting]:
        """All streams, checked against each other."""
        nodes = [self._node(index, item) for index, item in enumerate(self._items)]
        names = [node.name for node in nodes]
        for index, name in enumerate(names):
            if name in names[:index]:
                raise ConfigError(
                    "config.duplicate", file=self._settings.file, key="stream.name", found=name
                )
        self._flat = flatten(nodes, self._settings.file)
        check_boundary(nodes, self._settings.file)
        return [self._stream(index, item) for index, item in enumerate(self._items)]

    def _node(self, index: int, item: dict) -> Node:
        where = f"stream[{index}]"
        summands = []
        if "plus" in item or "minus" in item:
            share = self._share(item.get("share", "1"), where)
            for name in item.get("plus", []):
                summands.append((name, share[0], power_of_ten(share[1])))
            for name in item.get("minus", []):
                summands.append((name, -share[0], power_of_ten(share[1])))
            if not summands:
                self._settings.missing(where + ".plus", "names of streams")
        source = item.get("point", "")
        if item["kind"] == "stack_co2" and "stack" in item:
            stack = item["stack"]
            source = stack["co2"] if "co2" in stack else stack.get("o2", "")
        return Node(item["name"], item["kind"], source, item.get("within", ""), tuple(summands))

    def _positive(self, text: str, key: str) -> tuple[int, int]:
        _, _, fraction = text.partition(".")
        if len(fraction) > PLACES_MAX:
            self._settings.refuse(key, text, f"at most {PLACES_MAX} decimal places")
        decimal = parse_decimal(text)
        if decimal[0] == 0:
            self._settings.refuse(key, text, "more than 0")
        return decimal

    def _share(self, text: str, where: str) -> tuple[int, int]:
        mantissa, places = self._positive(text, where + ".share")
        if mantissa > power_of_ten(places):
            self._settings.refuse(where + ".share", text, "at most 1")
        return mantissa, places

    def _stream(self, index: int, item: dict) -> StreamSetting:
        where = f"stream[{index}]"
        kind, name = item["kind"], item["name"]
        path = ""
        if "place" in item:
            if item["place"] not in self._paths:
                self._unknown(where + ".place", item["place"], list(self._paths))
            path = self._paths[item["place"]]
        if kind == "stack_co2":
            return self._stack(item, where, path)
        place, unit = None, ""
        summands: tuple[tuple[str, int, int], ...] = ()
        if "plus" in item or "minus" in item:
            if "point" in item:
                self._settings.refuse(
                    where + ".point", item["point"], "a point or a sum, not both"
                )
            summands = tuple(self._flat[name])
            unit = CANONICAL[self._common_dimension(summands, where)]
        else:
            if "point" not in item:
                self._settings.missing(where + ".point", "device.point of a counter")
            place = self._settings.locate(item["point"], where + ".point")
            point = self._settings.point(place)
            if point.point_class != "counter":
                self._settings.refuse(where + ".point", item["point"], "a point of class counter")
            unit = point.unit
        factor = self._factor(item, item, where, unit)
        rates = self._rates(item, where, unit, factor)
        dimension = self._check_dimension(kind, factor, unit, where)
        self._dimensions[name] = dimension
        rated = None if place is None else self._rated(item, place, dimension, where)
        coal = self._coal(item, where, CANONICAL[dimension])
        return StreamSetting(
            name, kind, place, factor, None, rates, rated, path, summands, dimension, coal
        )

    def _stack(self, item: dict, where: str, path: str) -> StreamSetting:
        if "stack" not in item:
            self._settings.missing(where + ".stack", "the table of the stack's measurements")
        from edge.app.stacks import read_stack

        stack = read_stack(self._settings, item["stack"], where + ".stack")
        coal = self._coal(item, where, "")
        head = (item["name"], item["kind"], stack[1][0], None, stack)
        return StreamSetting(*(head + ((), None, path, (), "co2", coal)))

    def _coal(self, item: dict, where: str, unit: str) -> tuple:
        if not self._settings.coal and "coal" not in item:
            return ()
        from edge.app.coal import read_coal

        return read_coal(self._settings, item, where, unit)

    def _common_dimension(self, summands: tuple, where: str) -> str:
        found = [self._dimensions.get(name, "co2") for name, _, _ in summands]
        if found[0] == "co2" or any(dimension != found[0] for dimension in found):
            self._settings.refuse(where + ".plus", ", ".join(found), "meters of one dimension")
        return found[0]

    def _unknown(self, key: str, found: str, known: list[str]) -> None:
        guess = nearest(found, known) or "one of " + (", ".join(known) or "none")
        file = self._settings.file
        raise ConfigError("config.reference", file=file, key=key, found=found, nearest=guess)

    def _factor(self, item: dict, table: dict, where: str, unit: str) -> Factor | None:
        """The factor that `table` (the stream, or one of its bases) names."""
        if "tariff" in table:
            return self._tariff(item, table, where)
        if "fuel" in table:
            found, name = self._split(table["fuel"], where + ".fuel")
            return self._fuel(found, name, item["kind"], unit, where)
        if "factor" not in table:
            if KINDS[item["kind"]].emission:
                self._settings.missing(where + ".factor", "a factor id of the factor set")
            return None
        found, name = self._split(table["factor"], where + ".factor")
        for factor in found.factors:
            if factor.id == name:
                chosen: Factor = factor
                return chosen
        self._unknown(where + ".factor", name, [factor.id for factor in found.factors])
        return None

    def _tariff(self, item: dict, table: dict, where: str) -> Factor:
        """A factor that changes with time; only electricity has one."""
        name = table["tariff"]
        if "factor" in table or "fuel" in table:
            self._settings.refuse(where + ".tariff", name, "a factor or a tariff, not both")
        if KINDS[item["kind"]].dimension != "energy":
            self._settings.refuse(where + ".tariff", item["kind"], "a kind of electricity")
        for tariff in self._settings.tariffs:
            if tariff.id == name:
                return Factor(TARIFF + name, "energy", 1, tariff.id, tariff.digest)
        known = [tariff.id for tariff in self._settings.tariffs]
        self._unknown(where + ".tariff", name, known)
        raise KeyError(name)

    def _split(self, reference: str, key: str) -> tuple[FactorSet, str]:
        """ "set.id" or "id" of the default set."""
        name, dot, rest = reference.partition(".")
        if not dot:
            return self._settings.factor_set("", key), name
        return self._settings.factor_set(name, key), rest

    def _fuel(self, found: FactorSet, name: str, kind: str, unit: str, where: str) -> Factor:
        fuel = find_fuel(found.fuels, name, self._settings.file, where + ".fuel")
        dimension = RATIOS[unit][0] if unit in RATIOS else ""
        dimension = "heat" if dimension == "energy" else dimension
        oxidation = FULL if kind.startswith("conversion_") else None
        try:
            up, down = emission_ratio(fuel, CANONICAL[dimension], oxidation)
        except (DataError, KeyError):
            self._settings.refuse(where + ".fuel", name + " for " + unit, "a fuel per " + fuel.per)
        # CO2 of biomass is a memo item and counts 0 in totals.
        up = 0 if fuel.biogenic else up
        return Factor(name, dimension, (up * 1000, down), found.id, found.digest)

    def _rates(self, item: dict, where: str, unit: str, main: Factor | None) -> tuple:
        """(basis, Factor) for each further basis; bought electricity has to name them all."""
        named = {table["name"]: table for table in item.get("basis", [])}
        rates = []
        for basis in named:
            if basis not in self._settings.bases:
                self._unknown(where + ".basis.name", basis, self._settings.bases)
        for basis in self._settings.bases:
            if basis in named:
                factor = self._factor(item, named[basis], where + ".basis", unit)
                rates.append((basis, factor))
            elif main is not None and KINDS[item["kind"]].dimension == "energy":
                self._settings.missing(where + ".basis", "a [[stream.basis]] for " + basis)
        return tuple(rates)

    def _check_dimension(self, kind: str, factor: Factor | None, unit: str, where: str) -> str:
        """What the stream measures; refuses a counter or factor of something else."""
        dimension: str = KINDS[kind].dimension
        if dimension == "any":
            dimension = factor.dimension if factor is not None else ""
            if not dimension:
                dimension = RATIOS[unit][0] if unit in RATIOS else "energy"
        try:
            ratio_to(unit, dimension)
        except DataError:
            self._settings.refuse(where + ".point", "in " + unit, "a counter of " + dimension)
        if factor is not None and factor.dimension != dimension:
            self._settings.refuse(where + ".factor", factor.id, "a factor for " + dimension)
        return dimension

    def _rated(self, item: dict, place: tuple[int, int], dimension: str, where: str) -> int | None:
        """The rating as the point's mantissa per hour, rounded up."""
        point = self._settings.point(place)
        up, down = ratio_to(point.unit, dimension)
        if "rated_kw" in item:
            if dimension not in _KW:
                self._settings.refuse(
                    where + ".rated_kw", dimension, "rated, in the point's unit per hour"
                )
            scale = power_of_ten(point.places)
            return int(-(-item["rated_kw"] * _KW[dimension] * down * scale // up))
        if "rated" in item:
            mantissa, places = self._positive(item["rated"], where + ".rated")
            return int(-(-mantissa * power_of_ten(point.places) // power_of_ten(places)))
        return None
