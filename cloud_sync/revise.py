"""Streams with the factors of another set: what a newer publication makes of the same activity.

A set never changes, so a revision is another result beside the recorded one, under another digest.
"""

import json
import tomllib
from pathlib import Path
from typing import Any

import edge.core
from edge.core.carbon.factors import FactorSet, parse_set
from edge.core.carbon.fuels import FULL, emission_ratio
from edge.core.carbon.streams import Factor, Rate, Stream, mg_ratio
from edge.core.carbon.tariff import Tariff, parse_tariff
from edge.core.errors import ConfigError, DataError, TallyError
from edge.core.numbers.units import CANONICAL
from edge.core.schema import check_document, nearest

#: Factor sets that are shipped: data, beside the core.
SHIPPED = Path(edge.core.__file__).resolve().parents[1] / "factors"

_DIMENSIONS = {unit: dimension for dimension, unit in CANONICAL.items()}


def read_set(name: str) -> FactorSet:
    """A factor set by its file, or by the id of one that is shipped. Raises ConfigError."""
    path = Path(name)
    if path.suffix != ".toml":
        path = SHIPPED / f"{name}.toml"
        if not path.is_file():
            known = [one.stem for one in SHIPPED.glob("*.toml")]
            guess = nearest(name, known) or "the path of a .toml file"
            raise ConfigError(
                "config.reference", file="--factors", key="set", found=name, nearest=guess
            )
    document = _parse(path)
    schema = json.loads((SHIPPED / "factors.schema.json").read_text("utf-8"))
    check_document(document, schema, str(path))
    return parse_set(document, str(path))


def read_tariffs(path: Path) -> list[Tariff]:
    """The tariffs that a gateway.toml names, in files beside it. Raises ConfigError."""
    names = _parse(path).get("accounting", {}).get("tariffs", [])
    schema = json.loads((SHIPPED / "tariff.schema.json").read_text("utf-8"))
    found = []
    for name in names:
        file = path.resolve().parent / str(name)
        document = _parse(file)
        check_document(document, schema, str(file))
        found.append(parse_tariff(document, str(file)))
    return found


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("config.file", file=str(path), reason=str(error))
    except (ValueError, RecursionError) as error:  # what the parser ends in, not syntax alone
        raise ConfigError("config.syntax", file=str(path), reason=str(error))


class Revision:
    """Gives streams the factors of a set, by the same factor or fuel id.

    kept: (stream, factor id) pairs that the set has nothing for; they keep theirs.
    """

    def __init__(self, factors: FactorSet) -> None:
        self.factors = factors
        self.kept: set[tuple[str, str]] = set()

    def stream(self, stream: Stream) -> Stream:
        """The stream with the set's factors on every basis that it has."""
        rates = []
        for rate in stream.rates:
            ratio = self._ratio(stream, rate.factor)
            if ratio is not None:
                rate = Rate(rate.basis, ratio[0], ratio[1], rate.factor, self._digest)
            rates.append(rate)
        main = self._ratio(stream, stream.factor) if stream.factor else None
        if main is not None:
            stream = stream._replace(
                numerator=main[0], denominator=main[1], factor_digest=self._digest
            )
        return stream._replace(rates=tuple(rates))

    @property
    def _digest(self) -> bytes:
        return bytes(self.factors.digest)

    def _ratio(self, stream: Stream, name: str) -> tuple[int, int] | None:
        factor = self._find(stream, name)
        if factor is None:
            self.kept.add((stream.name, name))
            return None
        return mg_ratio(factor, *stream.activity)

    def _find(self, stream: Stream, name: str) -> Factor | None:
        dimension = _DIMENSIONS.get(stream.unit, "")
        factor: Factor
        for factor in self.factors.factors:
            if factor.id == name and factor.dimension == dimension:
                return factor
        for fuel in self.factors.fuels:
            if fuel.id != name:
                continue
            oxidation = FULL if stream.kind.startswith("conversion_") else None
            try:
                up, down = emission_ratio(fuel, stream.unit, oxidation)
            except (DataError, TallyError):
                return None
            up = 0 if fuel.biogenic else up
            return Factor(name, dimension, (up * 1000, down), self.factors.id, self._digest)
        return None
