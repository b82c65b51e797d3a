"""A cell of a CSV table that people open in a spreadsheet."""

import re
from typing import Any

#: What a spreadsheet computes; a negative number is none.
_FORMULA = re.compile(r"[=+@\t\r]|-(?![0-9.]+$)")


def as_cell(value: Any) -> Any:
    """The value, with a formula made text: names come from a gateway's configuration."""
    return "'" + value if isinstance(value, str) and _FORMULA.match(value) else value
