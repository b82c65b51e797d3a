"""A stack's geometry: out of its own records, or for those that name it only by digest out of a
gateway's configuration.
"""

import tomllib
from pathlib import Path

from edge.core.carbon.cems import Stack
from edge.core.carbon.eu_mrr import method_of
from edge.core.carbon.geometry import Geometry
from edge.core.carbon.sources import HOLD
from edge.core.errors import ConfigError, TallyError
from edge.core.numbers.fixed import parse_decimal


def read_stacks(path: Path) -> list[Geometry]:
    """The stacks of a gateway.toml; what else is in it does not matter here.

    Whether they are those of the records is for their digest to say. Raises ConfigError.
    """
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError("config.file", file=str(path), reason=reason)
    except (ValueError, RecursionError) as error:  # what the parser ends in, not syntax alone
        raise ConfigError("config.syntax", file=str(path), reason=str(error))
    found = []
    for item in document.get("stream", []):
        table = item.get("stack") if isinstance(item, dict) else None
        if not isinstance(table, dict) or "area_m2" not in table:
            continue  # one without is young enough to be told by its records
        try:
            area = parse_decimal(table["area_m2"])
            stack = Stack(method_of(table["method"]), area, table["ambient_pa"], table["basis"])
            found.append(Geometry(stack, tuple(table.get("status_ok", ())), HOLD))
        except (KeyError, TypeError, AttributeError, TallyError) as error:
            raise ConfigError(
                "config.value",
                file=str(path),
                key="stream.stack",
                found=str(error),
                expected="the stack of a gateway that runs",
            )
    return found
