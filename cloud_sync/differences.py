"""What a recomputed interval has that the recorded one has not: figure by figure, by name."""

from collections.abc import Iterator
from typing import Any, NamedTuple

ENTRY_NAMES = (
    "number",
    "cumulative",
    "rest",
    "activity",
    "emission_mg",
    "good",
    "expected",
    "flags",
    "substituted",
    "others",
    "state",
    "figures",
    "times",
)
TOTAL_NAMES = (
    "scope1_mg",
    "scope2_mg",
    "electricity_mg",
    "consumption_wh",
    "intensity_mg_per_kwh",
    "green_wh",
    "storage_wh",
    "bases",
    "figures",
)

#: What a thinned interval still has to give exactly; how often it was read is lost with the polls.
_FIGURES = ("cumulative", "rest", "activity", "emission_mg", "others")


class Difference(NamedTuple):
    """One figure that does not come out. stream: its name, "" for a total."""

    stream: str
    field: str
    recorded: object
    computed: object


def compared(
    name: str, names: tuple[str, ...], recorded: list[Any], computed: list[Any], is_thinned: bool
) -> Iterator[Difference]:
    """Fields that differ; a record of the first form has fewer of them."""
    for field, one, other in zip(names, recorded, computed, strict=False):
        if one != other and not (is_thinned and field not in _FIGURES):
            yield Difference(name, field, one, other)
