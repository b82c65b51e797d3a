"""One line of `carbontally check`."""

from typing import Any, NamedTuple

from edge.core.errors import TallyError


class Finding(NamedTuple):
    """about: of what; error: what is wrong, None when nothing is; fields: figures; well: the text
    that says so in place of the one named like `about`.
    """

    about: str
    error: TallyError | None
    fields: dict[str, Any] = {}
    well: str = ""
