"""What the API offers, as data: a list resource is a view, its columns, filters and bounds."""

from typing import NamedTuple

#: Kinds of a column. EXACT is a quantity, given as decimal text; NUMBER is a count of things or
#: milliseconds, below 2^53, so that every JSON reader has it exactly.
TEXT, EXACT, NUMBER = "text", "exact", "number"

DAY_MS = 86_400_000


class Resource(NamedTuple):
    """time: the column that from and to bound; key: what orders the rows, unique.

    required: filters without which too much would be read; days_max: longest range of a query.
    """

    name: str
    view: str
    about: str
    time: str
    key: tuple[str, ...]
    columns: dict[str, str]
    filters: tuple[str, ...]
    required: tuple[str, ...] = ()
    days_max: int = 400

    def select(self, after: bool, filters: list[str], limit: bool) -> str:
        """The statement; parameters: tenant, start, end, the filters, k0.. of the key, limit."""
        columns = ", ".join(f'"{column}"' for column in self.columns)
        sql = f"SELECT {columns} FROM {self.view} WHERE tenant = :tenant"
        # The last millisecond may be equal: see `Period.last_ms`.
        sql += f" AND {self.time} BETWEEN :start AND :end - 1"
        for name in filters:
            sql += f" AND {name} = :{name}"
        key = ", ".join(self.key)
        if after:
            marks = ", ".join(f":k{at}" for at in range(len(self.key)))
            sql += f" AND ({key}) > ({marks})"
        return sql + f" ORDER BY {key}" + (" LIMIT :limit" if limit else "")


_WHERE = {"gateway": TEXT, "epoch": TEXT, "seq": NUMBER}
_SPAN = {"start_ms": NUMBER, "end_ms": NUMBER}
_OF_INTERVAL = ("start_ms", "gateway", "epoch", "seq")

RESOURCES = (
    Resource(
        "readings",
        "v_readings",
        "Values of polls. A null value was not read; `quality` says why.",
        "wall_ms",
        ("wall_ms", "gateway", "epoch", "seq", "device", "point"),
        {
            **_WHERE,
            **dict.fromkeys(("device", "point", "unit", "class"), TEXT),
            "value": EXACT,
            "quality": TEXT,
            "time": TEXT,
            "wall_ms": NUMBER,
            "clock": TEXT,
        },
        ("gateway", "device", "point", "quality"),
        required=("gateway",),
        days_max=31,
    ),
    Resource(
        "intervals",
        "v_intervals",
        "Totals of closed accounting intervals on the main basis.",
        "start_ms",
        _OF_INTERVAL,
        {
            **_WHERE,
            **dict.fromkeys(
                ("scope1_kg", "scope2_kg", "consumption_kwh", "intensity_kg_per_kwh"), EXACT
            ),
            **dict.fromkeys(("green_wh", "storage_wh"), EXACT),
            **_SPAN,
        },
        ("gateway",),
    ),
    Resource(
        "streams",
        "v_streams",
        "Each stream's share of each interval: activity, emission on the main basis, polls.",
        "start_ms",
        (*_OF_INTERVAL, "stream"),
        {
            **_WHERE,
            **dict.fromkeys(("stream", "kind"), TEXT),
            "scope": NUMBER,
            "activity": EXACT,
            "unit": TEXT,
            "emission_kg": EXACT,
            "good": NUMBER,
            "expected": NUMBER,
            **dict.fromkeys(("factor", "method", "basis", "place"), TEXT),
            "flags": NUMBER,
            "substituted": EXACT,
            **_SPAN,
        },
        ("gateway", "stream", "kind", "place"),
    ),
    Resource(
        "emissions",
        "v_emissions",
        "Each stream's emission in each interval on every basis.",
        "start_ms",
        (*_OF_INTERVAL, "stream", "basis"),
        {
            **_WHERE,
            **dict.fromkeys(("stream", "kind"), TEXT),
            "scope": NUMBER,
            **dict.fromkeys(("place", "basis", "factor"), TEXT),
            "emission_kg": EXACT,
            **_SPAN,
        },
        ("gateway", "stream", "basis", "place"),
    ),
    Resource(
        "result_emissions",
        "v_result_emissions",
        "Each stream's emission in each interval with a named result's factors, and as recorded.",
        "start_ms",
        (*_OF_INTERVAL, "result", "stream", "basis"),
        {
            **_WHERE,
            **dict.fromkeys(("result", "stream", "kind"), TEXT),
            "scope": NUMBER,
            **dict.fromkeys(("place", "basis", "factor", "factor_digest"), TEXT),
            **dict.fromkeys(("emission_mg", "recorded_mg"), EXACT),
            **_SPAN,
        },
        ("result", "gateway", "stream", "basis", "place"),
    ),
    Resource(
        "events",
        "v_events",
        "Events of gateways; `fields` is a JSON object as text.",
        "wall_ms",
        ("wall_ms", "gateway", "epoch", "seq"),
        {**_WHERE, "code": TEXT, "fields": TEXT, "wall_ms": NUMBER},
        ("gateway", "code"),
    ),
)
