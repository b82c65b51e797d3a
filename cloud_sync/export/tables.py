"""What is exported, as data: the views, their columns, and the exact type of each in Parquet."""

from typing import NamedTuple

#: 19 digits of a 64-bit integer before the point, 18 places behind it: no reading is rounded.
READING = "DECIMAL(38,18)"
KG = "DECIMAL(25,6)"
KWH = "DECIMAL(22,3)"

_OWNER = {"tenant": "VARCHAR", "gateway": "VARCHAR", "epoch": "VARCHAR", "seq": "BIGINT"}
_KEYS = ("result", "device", "point", "stream", "basis")
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
        return ", ".join(name for name in (*_OWNER, *_KEYS) if name in self.columns)


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
            "scope": "BIGINT",
            "activity": "BIGINT",
            "unit": "VARCHAR",
            "emission_kg": KG,
            **dict.fromkeys(("good", "expected"), "BIGINT"),
            **dict.fromkeys(("factor", "method", "basis", "place"), "VARCHAR"),
            "flags": "BIGINT",
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
            "scope": "BIGINT",
            **dict.fromkeys(("place", "basis", "factor"), "VARCHAR"),
            "emission_kg": KG,
            "emission_mg": "BIGINT",
            **_SPAN,
        },
    ),
    Table(
        "result_emissions",
        "v_result_emissions",
        "start_ms",
        {
            **_OWNER,
            **dict.fromkeys(("result", "stream", "kind"), "VARCHAR"),
            "scope": "BIGINT",
            **dict.fromkeys(("place", "basis", "factor", "factor_digest"), "VARCHAR"),
            "emission_kg": KG,
            **dict.fromkeys(("emission_mg", "recorded_mg"), "BIGINT"),
            **_SPAN,
        },
    ),
    Table(
        "result_totals",
        "v_result_totals",
        "start_ms",
        {
            **_OWNER,
            **dict.fromkeys(("result", "basis"), "VARCHAR"),
            **dict.fromkeys(("scope1_mg", "scope2_mg", "electricity_mg"), "BIGINT"),
            "intensity_mg_per_kwh": "BIGINT",
            **_SPAN,
        },
    ),
    Table(
        "results",
        "v_results",
        "made_ms",
        {
            **{name: kind for name, kind in _OWNER.items() if name != "seq"},
            **dict.fromkeys(("result", "factor_set", "factor_digest"), "VARCHAR"),
            "made_ms": "BIGINT",
        },
    ),
)
