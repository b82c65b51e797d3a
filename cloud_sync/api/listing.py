"""A list resource as a route: pages by key in JSON, whole ranges as NDJSON and CSV."""

import base64
import json
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import Field, create_model

from cloud_sync.api import formats, schemas
from cloud_sync.api.guard import Pool
from cloud_sync.api.resources import DAY_MS, NUMBER, Resource
from cloud_sync.api.tokens import Token
from edge.core.errors import UsageError

LIMIT, LIMIT_MAX = 1_000, 10_000
_CURSOR_MAX = 2_000
_NAME_MAX = 200
#: A text that no database can compare with, as PostgreSQL has no NUL.
_NO_NUL = r"^[^\x00]*$"
_WRITERS = {formats.NDJSON: formats.write_ndjson, formats.CSV: formats.write_csv}


def make_listing(app: FastAPI, resource: Resource, tenant: Any, pool: Pool) -> None:
    """Add GET /v1/NAME; tenant: the dependency that gives the token."""
    parameters: Any = Annotated[_parameters(resource), Query()]
    page = schemas.page_of(resource)
    content: dict[str, Any] = {kind: {} for kind in (formats.NDJSON, formats.CSV)}

    @app.get(
        f"/v1/{resource.name}",
        summary=resource.about,
        response_model=None,
        responses={200: {"model": page, "content": content, "description": resource.about}},
        tags=["figures"],
    )
    def listing(request: Request, query: parameters, token: Token = tenant) -> Response:
        asked = query.model_dump(exclude_none=True)
        start_ms, end_ms = schemas.parse_range(
            asked["start"], asked["end"], resource.days_max * DAY_MS
        )
        given = [name for name in resource.filters if name in asked]
        values = {name: asked[name] for name in given}
        values |= {"tenant": token.tenant, "start": start_ms, "end": end_ms}
        if "after" in asked:
            values |= _decode(resource, asked["after"])
        kind = formats.choose(request.headers.get("accept", ""))
        if kind == formats.JSON:
            limit = asked.get("limit", LIMIT)
            sql = resource.select("after" in asked, given, limit=True)
            return _page(resource, pool, sql, {**values, "limit": limit + 1}, limit)
        is_part = "limit" in asked
        if is_part:
            values["limit"] = asked["limit"]
        sql = resource.select("after" in asked, given, limit=is_part)
        return _stream(resource, pool, sql, values, kind)


def _parameters(resource: Resource) -> Any:
    """The query parameters of a resource as a model that refuses others."""
    fields: dict[str, Any] = {
        "start": (str, Field(alias="from", max_length=40, description=schemas.INSTANT)),
        "end": (str, Field(alias="to", max_length=40, description=schemas.INSTANT)),
        "after": (str | None, Field(None, max_length=_CURSOR_MAX, description="next of a page")),
        "limit": (
            int | None,
            Field(None, ge=1, le=LIMIT_MAX, description=f"rows; a JSON page has {LIMIT}"),
        ),
    }
    for name in resource.filters:
        if name in resource.required:
            fields[name] = (str, Field(max_length=_NAME_MAX, pattern=_NO_NUL))
        else:
            fields[name] = (str | None, Field(None, max_length=_NAME_MAX, pattern=_NO_NUL))
    return create_model(
        resource.name.capitalize() + "Query", __config__={"extra": "forbid"}, **fields
    )


def _page(
    resource: Resource, pool: Pool, sql: str, values: dict[str, Any], limit: int
) -> Response:
    rows = list(_rows(pool, sql, values))
    cursor = _encode(resource, rows[limit - 1]) if len(rows) > limit else None
    items = list(formats.as_objects(resource.columns, rows[:limit]))
    headers = {} if cursor is None else {"Link": f'<?after={cursor}>; rel="next"'}
    return JSONResponse({"items": items, "next": cursor}, headers=headers)


def _stream(
    resource: Resource, pool: Pool, sql: str, values: dict[str, Any], kind: str
) -> Response:
    """The whole range. A failure on the way breaks the connection off: no end, no whole answer."""
    parts = _WRITERS[kind](resource.columns, _rows(pool, sql, values))
    # The first part is made before the answer begins, so that a failure by then is a problem.
    first = next(parts, b"")

    def whole() -> Iterator[bytes]:
        yield first
        yield from parts

    name = f"{resource.name}.{'csv' if kind == formats.CSV else 'ndjson'}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(whole(), media_type=kind, headers=headers)


def _rows(pool: Pool, sql: str, values: dict[str, Any]) -> Iterator[Any]:
    database = pool.take()
    is_good = False
    try:
        yield from database.stream(sql, **values)
        is_good = True
    finally:
        pool.give(database, is_good)


def _encode(resource: Resource, row: Any) -> str:
    names = list(resource.columns)
    key = [row[names.index(name)] for name in resource.key]
    data = json.dumps(key, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(resource: Resource, text: str) -> dict[str, Any]:
    """k0.. of a cursor; UsageError "api.query" for one that is none of this resource's."""
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        key = json.loads(data)
        kinds = [resource.columns[name] for name in resource.key]
        wanted = [int if kind == NUMBER else str for kind in kinds]
        if [type(part) for part in key] != wanted:
            raise ValueError(text)
        if any(isinstance(part, int) and abs(part) >= 1 << 63 for part in key):
            raise ValueError(text)
        texts = "".join(part for part in key if isinstance(part, str))
        texts.encode()  # JSON may hold halves of surrogate pairs, and NUL; a database may not
        if "\0" in texts:
            raise ValueError(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise UsageError("api.query", name="after", reason="no cursor of a page") from error
    return {f"k{at}": part for at, part in enumerate(key)}
