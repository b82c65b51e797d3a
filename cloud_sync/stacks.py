"""A stack's geometry out of a gateway's configuration: what its records name only by digest."""

import tomllib
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from edge.core.carbon.cems import METHODS, Stack
from edge.core.carbon.streams import Source, source_digest
from edge.core.errors import ConfigError, TallyError
from edge.core.numbers.fixed import parse_decimal


class Geometry(NamedTuple):
    """accepted: status values that mean measuring."""

    stack: Stack
    accepted: tuple[int, ...]


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
            stack = Stack(METHODS[table["method"]], area, table["ambient_pa"], table["basis"])
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


def find_source(
    part: list[Any], places: list[list[tuple[int, int, list[Any]]]], stacks: list[Geometry]
) -> Source | None:
    """The source of a stack's stream, proven by its digest; None when no geometry fits.

    part: the stream's definition; places: for each of its inputs the (device number, point index,
    device definition) that may be it, the likeliest first.
    """
    for choice in product(*places):
        for stack, accepted in stacks:
            said = [[device[2], device[6], device[8][at][0]] for _, at, device in choice]
            if source_digest(said, list(accepted), stack) != part[11]:
                continue
            inputs = tuple((number, at, device[8][at][2]) for number, at, device in choice)
            status = None
            if len(inputs) > 5:
                status = (inputs[5][0], inputs[5][1], accepted)
            return Source(inputs[:5], status, stack)
    return None
