"""What is exported, as data: the views, their columns, and the exact type of each in Parquet."""

from typing import NamedTuple

#: 19 digits of a 64-bit integer before the point, 18 places behind it: no reading is rounded.
READING = "DECIMAL(38,18)"
KG = "DECIMAL(25,6)"
KWH = "DECIMAL(22,3)"

_OWNER = {"tenant": "VARCHAR", "gateway": "VARCHAR", "epoch": "VARCHAR", "seq": "BIGINT"}
_SPAN = {"start_ms": "BIGINT", "end_ms": "BIGINT"}


class Table(NamedTuple):
    """time: the column whose UTC day is the partition."""

    name: str
    view: str
    time: str
    columns: dict[str, str]

    @property
    def key(self) -> str:
        """What rows are ordered by within a day."""
        names = [name for name in ("device", "point", "stream", "basis") if name in self.columns]
        return ", ".join([*_OWNER, *names])


TABLES = (
    Table(
        "readings",
        "v_readings",
        "wall_ms",
        {
            **_OWNER,
            **dict.fromkeys(("device", "point", "unit", "class"), "VARCHAR"),
            "value": READING,
            "quality": "VARCHAR",
            "wall_ms": "BIGINT",
            "clock": "VARCHAR",
        },
    ),
    Table(
        "intervals",
        "v_intervals",
        "start_ms",
        {
            **_OWNER,
            **dict.fromkeys(("scope1_kg", "scope2_kg"), KG),
            "consumption_kwh": KWH,
            "intensity_kg_per_kwh": KG,
            **dict.fromkeys(("green_wh", "storage_wh"), "BIGINT"),
            **_SPAN,
        },
    ),
    Table(
        "streams",
        "v_streams",
        "start_ms",
        {
            **_OWNER,
            **dict.fromkeys(("stream", "kind"), "VARCHAR"),
            "scope": "INTEGER",
            "activity": "BIGINT",
            "unit": "VARCHAR",
            "emission_kg": KG,
            **dict.fromkeys(("good", "expected"), "INTEGER"),
            **dict.fromkeys(("factor", "method", "basis", "place"), "VARCHAR"),
            "flags": "INTEGER",
            "substituted": "BIGINT",
            **_SPAN,
        },
    ),
    Table(
        "emissions",
        "v_emissions",
        "start_ms",
        {
            **_OWNER,
            **dict.fromkeys(("stream", "kind"), "VARCHAR"),
            "scope": "INTEGER",
            **dict.fromkeys(("place", "basis", "factor"), "VARCHAR"),
            "emission_kg": KG,
            "emission_mg": "BIGINT",
            **_SPAN,
        },
    ),
)
