"""The application: routes made from `resources`, everything behind a token of one tenant."""

import time
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi import Path as PathParameter
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from cloud_sync.api import guard, schemas
from cloud_sync.api.listing import make_listing
from cloud_sync.api.metrics import CONTENT_TYPE, write_metrics
from cloud_sync.api.resources import DAY_MS, RESOURCES
from cloud_sync.api.tokens import Gate, Token
from cloud_sync.reading.calendar import DEFAULT_ZONE, find_zone
from cloud_sync.reading.coverage import read_coverage
from cloud_sync.reading.database import Database
from cloud_sync.reading.explanation import explain_interval
from cloud_sync.reading.health import read_health, read_journals, read_results
from edge.core.errors import TallyError, UsageError
from edge.core.errors.table import TABLE

_PROBLEM = "application/problem+json"
_COVERAGE_DAYS_MAX = 92

_ANSWER_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "Bearer"},
    405: {"Allow": "GET"},
    429: {"Retry-After": "10"},
    500: guard.HEADERS,
    503: {"Retry-After": "10"},
}

ABOUT = """Exact carbon figures of a park, read-only. A token sees one tenant.

Quantities are decimal text, never floats; counts and Unix milliseconds are integers below 2^53.
Failures are problem objects (RFC 9457); `code` stays the same over versions and languages."""


def make_app(
    store: str, gate: Gate, version: str, is_tls: bool = False, wall_s: Any = time.time
) -> FastAPI:
    """The ASGI application over a store's URL; raises StoreError when it cannot be read."""
    app = FastAPI(
        title="carbontally",
        version=version,
        description=ABOUT,
        docs_url=None,  # its page loads programs from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        responses={
            status: {"model": schemas.Problem, "description": about, "content": {_PROBLEM: {}}}
            for status, about in schemas.REFUSALS.items()
        },
    )
    pool, answers = guard.Pool(store), Counter[int]()
    app.state.pool = pool
    app.add_middleware(guard.Shield, answers=answers, is_tls=is_tls)
    _add_problems(app, answers)
    tenant = Depends(_token_check(gate, wall_s))
    database = Depends(_connection(pool))
    for resource in RESOURCES:
        make_listing(app, resource, tenant, pool)
    _add_gateways(app, tenant, database, wall_s)
    _add_explanation(app, tenant, database)
    _add_metrics(app, tenant, database, answers, wall_s)
    return app


def _token_check(gate: Gate, wall_s: Any) -> Any:
    bearer = HTTPBearer(auto_error=False, description="made by `carbontally tokens add`")
    rates = guard.Rates(guard.BURST, guard.PER_MINUTE)
    wrong = guard.Rates(guard.WRONG_PER_MINUTE, guard.WRONG_PER_MINUTE)

    def check(
        request: Request,
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Token:
        token = None if given is None else gate.find(given.credentials, int(wall_s()))
        if token is None:
            wrong.take(request.client.host if request.client else "", time.monotonic())
            raise UsageError("api.token")
        rates.take(token.id, time.monotonic())
        _refuse_nul(request)
        return token

    return check


def _refuse_nul(request: Request) -> None:
    """No database of ours has a text with NUL in it, and PostgreSQL takes none in a question."""
    for name, value in (*request.query_params.multi_items(), *request.path_params.items()):
        if "\0" in str(value):
            raise UsageError("api.query", name=name, reason="a NUL character")


def _connection(pool: guard.Pool) -> Any:
    def connect() -> Iterator[Database]:
        database = pool.take()
        is_good = False
        try:
            yield database
            is_good = True
        finally:
            pool.give(database, is_good)

    return connect


def _language(request: Request) -> str:
    return "zh" if request.headers.get("accept-language", "").lower().startswith("zh") else "en"


def _add_problems(app: FastAPI, answers: Counter[int]) -> None:
    """Every refusal in one form, and the text behind its type."""

    def answer(request: Request, error: TallyError) -> Response:
        status, problem = guard.problem_of(error, _language(request))
        return JSONResponse(problem, status, _ANSWER_HEADERS.get(status), _PROBLEM)

    @app.exception_handler(TallyError)
    async def known(request: Request, error: TallyError) -> Response:
        return answer(request, error)

    @app.exception_handler(RequestValidationError)
    async def unfit(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"][1:])
        return answer(request, UsageError("api.query", name=name, reason=first["msg"]))

    @app.exception_handler(HTTPException)
    async def plain(request: Request, error: HTTPException) -> Response:
        if error.status_code == 404:
            return answer(request, UsageError("api.not_found", what=request.url.path))
        return answer(request, UsageError("api.method", method=request.method))

    @app.exception_handler(Exception)
    async def bug(request: Request, error: Exception) -> Response:
        # This answer goes around the middleware.
        answers[500] += 1
        return answer(request, TallyError("api.bug"))

    @app.get("/v1/problems/{code}", response_class=PlainTextResponse, tags=["problems"])
    def problem_text(code: str) -> str:
        """What a problem's type means, in English and Chinese."""
        if code not in TABLE:
            raise UsageError("api.not_found", what=code)
        _, en, zh, next_en, next_zh = TABLE[code]
        return f"{code}\n\n{en}\n{next_en}\n\n{zh}\n{next_zh}\n"


def _add_gateways(app: FastAPI, tenant: Any, database: Any, wall_s: Any) -> None:
    @app.get("/v1/gateways", response_model=schemas.Journals, tags=["gateways"])
    def gateways(token: Token = tenant, db: Database = database) -> Any:
        """Every epoch of every gateway: its proven head, and how many records are missing."""
        return {"items": read_journals(db, token.tenant)}

    @app.get("/v1/health", response_model=schemas.HealthList, tags=["gateways"])
    def health(token: Token = tenant, db: Database = database) -> Any:
        """One object a gateway: state, silence, newest interval, losses, alarms."""
        return {"items": read_health(db, token.tenant, int(wall_s() * 1000))}

    @app.get("/v1/results", response_model=schemas.ResultList, tags=["figures"])
    def results(token: Token = tenant, db: Database = database) -> Any:
        """Results that `carbontally recompute` made with other factors; see result_emissions."""
        return {"items": read_results(db, token.tenant)}

    @app.get("/v1/completeness", response_model=schemas.CoverageList, tags=["figures"])
    def completeness(
        start: Annotated[str, Query(alias="from", description=schemas.INSTANT)],
        end: Annotated[str, Query(alias="to", description=schemas.INSTANT)],
        zone: Annotated[str, Query(max_length=64, description="whose days")] = DEFAULT_ZONE,
        gateway: Annotated[str, Query(max_length=100)] = "",
        token: Token = tenant,
        db: Database = database,
    ) -> Any:
        """How much of each stream was seen on each day of the park's calendar."""
        start_ms, end_ms = schemas.parse_range(start, end, _COVERAGE_DAYS_MAX * DAY_MS)
        try:
            place = find_zone(zone)
        except UsageError as error:
            raise UsageError("api.query", name="zone", reason="no time zone") from error
        rows = read_coverage(db, token.tenant, start_ms, end_ms, place, gateway)
        return {"items": [row.as_object() for row in rows]}


def _add_explanation(app: FastAPI, tenant: Any, database: Any) -> None:
    name = Annotated[str, PathParameter(max_length=200)]

    @app.get("/v1/gateways/{gateway}/intervals/{epoch}/{seq}/streams/{stream}", tags=["figures"])
    def explanation(
        gateway: name,
        epoch: Annotated[str, PathParameter(pattern="^[0-9a-f]{16}$")],
        seq: Annotated[int, PathParameter(ge=0, lt=1 << 53)],
        stream: name,
        token: Token = tenant,
        db: Database = database,
    ) -> dict[str, Any]:
        """How one figure was made: registers, moves, factor, product, rounding, verdict."""
        return explain_interval(db, token.tenant, gateway, epoch, seq, stream)


def _add_metrics(
    app: FastAPI, tenant: Any, database: Any, answers: Counter[int], wall_s: Any
) -> None:
    @app.get("/metrics", response_class=PlainTextResponse, tags=["gateways"])
    def metrics(token: Token = tenant, db: Database = database) -> Response:
        """The same for Prometheus: one gauge a gateway, and the answers of this API."""
        page = write_metrics(read_health(db, token.tenant, int(wall_s() * 1000)), answers)
        return Response(page, media_type=CONTENT_TYPE)
