"""What requests and answers look like, for the checks and for /openapi.json."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field, create_model

from cloud_sync.api.resources import EXACT, NUMBER, TEXT, Resource
from edge.core.errors import UsageError

INSTANT = "RFC 3339 with an offset, like 2026-11-20T00:00:00+08:00"

#: Decimal text, as `EXACT` columns have it.
DECIMAL = r"^-?[0-9]+(\.[0-9]+)?$"

REFUSALS: dict[int | str, str] = {
    401: "no valid token",
    404: "not of this tenant, or not there",
    405: "no such method",
    406: "no such format",
    422: "a parameter does not fit",
    429: "too many requests",
    500: "a bug",
    503: "the database cannot be read at the moment",
}


class Problem(BaseModel):
    """RFC 9457. type is a path of this API with the text behind it."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    fields: dict[str, str]


class Journal(BaseModel):
    """One epoch of a gateway's journal."""

    gateway: str
    epoch: str
    state: str | None
    head_seq: int
    head_hash: str
    missing: int
    last_seen: str
    last_seen_ms: int


class Journals(BaseModel):
    items: list[Journal]


class Result(BaseModel):
    """A named result of other factors, of one epoch of a gateway's journal."""

    gateway: str
    epoch: str
    result: str
    factor_set: str
    factor_digest: str
    made: str
    made_ms: int


class ResultList(BaseModel):
    items: list[Result]


class Health(BaseModel):
    """How a gateway is."""

    gateway: str
    state: str | None
    last_seen: str
    silent_ms: int
    interval_end_ms: int | None
    epochs: int
    head_seq: int
    missing: int
    alarms: int
    refusals: int


class HealthList(BaseModel):
    items: list[Health]


class CoverageRow(BaseModel):
    """One stream on one day."""

    gateway: str
    stream: str
    day: str
    day_ms: int
    intervals: int
    covered_ms: int
    good: int
    expected: int
    unknown: int
    substituted: int
    flags: int


class CoverageList(BaseModel):
    items: list[CoverageRow]


_COLUMNS: dict[str, Any] = {
    TEXT: (str | None, ...),
    NUMBER: (int | None, ...),
    EXACT: (str | None, Field(pattern=DECIMAL)),
}


def page_of(resource: Resource) -> type[BaseModel]:
    """The model of a page: items, and the cursor of the next page or null."""
    columns: dict[str, Any] = {name: _COLUMNS[kind] for name, kind in resource.columns.items()}
    name = resource.name.capitalize()
    row: Any = create_model(name + "Row", **columns)
    page: type[BaseModel] = create_model(
        name + "Page", items=(list[row], ...), next=(str | None, ...)
    )
    return page


def parse_range(start: str, end: str, most_ms: int) -> tuple[int, int]:
    """[start, end) in Unix milliseconds; UsageError "api.query" for no such range."""
    start_ms, end_ms = _instant_ms("from", start), _instant_ms("to", end)
    if end_ms <= start_ms:
        raise UsageError("api.query", name="to", reason="not after from")
    if end_ms - start_ms > most_ms:
        days = most_ms // 86_400_000
        raise UsageError("api.query", name="to", reason=f"more than {days} days after from")
    return start_ms, end_ms


def _instant_ms(name: str, text: str) -> int:
    try:
        # A plus sign that was not escaped arrives as a space.
        moment = datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise UsageError("api.query", name=name, reason="no " + INSTANT) from error
    if moment.tzinfo is None:
        raise UsageError("api.query", name=name, reason="without an offset; no " + INSTANT)
    if not 1 < moment.year < 9999:  # the days around it have to be days, too
        raise UsageError("api.query", name=name, reason="beyond the calendar")
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * 1000 + moment.microsecond // 1000
