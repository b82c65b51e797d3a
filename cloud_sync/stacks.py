"""A stack's geometry: out of its own records, or for those that name it only by digest out of a
gateway's configuration.
"""

import tomllib
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from edge.core.carbon.cems import Stack
from edge.core.carbon.eu_mrr import method_of
from edge.core.carbon.sources import HOLD, Rules
from edge.core.carbon.streams import Source, source_digest
from edge.core.errors import ConfigError, TallyError
from edge.core.numbers.fixed import parse_decimal

#: Fields of a stream's part that says what its stack is made with.
_TELLING_FORM = 20


class Geometry(NamedTuple):
    """accepted: status values that mean measuring; rules: how its samples become mass."""

    stack: Stack
    accepted: tuple[int, ...]
    rules: Rules = HOLD


def read_stacks(path: Path) -> list[Geometry]:
    """The stacks of a gateway.toml; what else is in it does not matter here.

    Whether they are those of the records is for their digest to say. Raises ConfigError.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("config.syntax", file=str(path), reason=str(error))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("config.file", file=str(path), reason=str(error))
    found = []
    for item in document.get("stream", []):
        table = item.get("stack") if isinstance(item, dict) else None
        if not isinstance(table, dict):
            continue
        try:
            area = parse_decimal(table["area_m2"])
            stack = Stack(method_of(table["method"]), area, table["ambient_pa"], table["basis"])
            found.append(Geometry(stack, tuple(table.get("status_ok", ()))))
        except (KeyError, TypeError, AttributeError, TallyError) as error:
            raise ConfigError(
                "config.value",
                file=str(path),
                key="stream.stack",
                found=str(error),
                expected="the stack of a gateway that runs",
            )
    return found


def _told(part: list[Any]) -> list[Geometry]:
    """What a stream's definition says of its stack itself."""
    if len(part) < _TELLING_FORM or part[18] is None:
        return []
    method, area, ambient_pa, basis, accepted, family, potential, states = part[18]
    stack = Stack(method_of(method), (area[0], area[1]), ambient_pa, basis)
    rules = Rules(family, potential, tuple((value, flag) for value, flag in states))
    return [Geometry(stack, tuple(accepted), rules)]


def find_source(
    part: list[Any], places: list[list[tuple[int, int, list[Any]]]], stacks: list[Geometry]
) -> tuple[Source, Rules] | None:
    """The source of a stack's stream and its rules, proven by its digest; None when none fits.

    part: the stream's definition; places: for each of its inputs the (device number, point index,
    device definition) that may be it, the likeliest first.
    """
    for choice in product(*places):
        for stack, accepted, rules in _told(part) or stacks:
            said = [[device[2], device[6], device[8][at][0]] for _, at, device in choice]
            if source_digest(said, list(accepted), stack, rules) != part[11]:
                continue
            inputs = tuple((number, at, device[8][at][2]) for number, at, device in choice)
            status = None
            if len(inputs) > 5:
                status = (inputs[5][0], inputs[5][1], accepted)
            return Source(inputs[:5], status, stack), rules
    return None
