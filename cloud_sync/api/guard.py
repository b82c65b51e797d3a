"""What stands before every answer: headers, connections, rates, and the form of a refusal."""

import threading
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from queue import Empty, LifoQueue
from typing import Any

from cloud_sync.reading.database import Database, open_reading
from edge.core.errors import StoreError, TallyError, UsageError
from edge.core.errors.table import describe

#: A token may send this many requests at once, and this many a minute on and on.
BURST = 120
PER_MINUTE = 600

#: The same for an address whose tokens are wrong.
WRONG_PER_MINUTE = 30

#: Who has not been heard of is forgotten beyond this many.
_KNOWN_MAX = 10_000

CONNECTIONS_MAX = 16
_WAIT_S = 5.0

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}

#: code -> HTTP status; what is not here is 500.
_STATUSES = {
    "api.token": 401,
    "api.not_found": 404,
    "api.method": 405,
    "api.query": 422,
    "api.accept": 406,
    "api.rate": 429,
    "api.busy": 503,
    "cloud.read": 503,
    "cloud.open": 503,
    "cloud.unavailable": 503,
    "usage.value": 422,
}

#: language -> title of what a database fails with.
_UNREADABLE = {"en": "the database cannot be read at the moment", "zh": "数据库暂时无法读取"}
_DAMAGED = {"en": "the database is damaged", "zh": "数据库已损坏"}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def problem_of(error: TallyError, language: str) -> tuple[int, dict[str, Any]]:
    """(HTTP status, problem object of RFC 9457) for an error of the table."""
    happened, following = describe(error, language)
    status = _STATUSES.get(error.code, 500)
    # A database's own words may name hosts and files: they are for the log, not for a stranger.
    shown = {} if isinstance(error, StoreError) else {k: str(v) for k, v in error.fields.items()}
    if isinstance(error, StoreError):
        happened = (_DAMAGED if error.code == "cloud.damaged" else _UNREADABLE)[language]
    problem = {
        "type": f"/v1/problems/{error.code}",
        "title": happened,
        "status": status,
        "detail": following,
        "code": error.code,
        "fields": shown,
    }
    return status, problem


class Rates:
    """A bucket for each name: full at the beginning, filled again as time passes."""

    def __init__(self, burst: int, per_minute: int) -> None:
        self._burst, self._per_minute = burst, per_minute
        self._lock = threading.Lock()
        self._levels: dict[str, tuple[float, float]] = {}

    def take(self, name: str, now_s: float) -> None:
        """Take one; UsageError "api.rate" when the bucket is empty."""
        with self._lock:
            level, at_s = self._levels.pop(name, (float(self._burst), now_s))
            level = min(self._burst, level + (now_s - at_s) * self._per_minute / 60)
            is_empty = level < 1
            self._levels[name] = (level if is_empty else level - 1, now_s)
            while len(self._levels) > _KNOWN_MAX:
                self._levels.pop(next(iter(self._levels)))
        if is_empty:
            raise UsageError("api.rate", per_minute=self._per_minute)


class Pool:
    """At most so many connections, opened when they are wanted and kept."""

    def __init__(self, url: str, most: int = CONNECTIONS_MAX) -> None:
        """Opens one, so that a store that cannot be read is told at the start."""
        self._url, self._most = url, most
        self._free: LifoQueue[Database | None] = LifoQueue()
        for _ in range(most - 1):
            self._free.put(None)
        self._free.put(open_reading(url))

    def take(self) -> Database:
        """A connection; UsageError "api.busy" when none becomes free."""
        try:
            database = self._free.get(timeout=_WAIT_S)
        except Empty as error:
            raise UsageError("api.busy", most=self._most) from error
        if database is not None:
            return database
        try:
            return open_reading(self._url)
        except StoreError:
            self._free.put(None)
            raise

    def give(self, database: Database, is_good: bool) -> None:
        """Bring a connection back; one that failed is closed."""
        if not is_good:
            database.close()
        self._free.put(database if is_good else None)

    def close(self) -> None:
        """Close those that are free."""
        while not self._free.empty():
            database = self._free.get()
            if database is not None:
                database.close()


class Shield:
    """ASGI middleware: security headers on every answer; counts answers by status."""

    def __init__(self, app: App, answers: Counter[int], is_tls: bool) -> None:
        self._app, self._answers = app, answers
        headers = dict(HEADERS)
        if is_tls:
            headers["strict-transport-security"] = "max-age=31536000"
        self._headers = [(name.encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Scope) -> None:
            if message["type"] == "http.response.start":
                given = {name.lower() for name, _ in message["headers"]}
                fresh = [pair for pair in self._headers if pair[0] not in given]
                message["headers"] = [*message["headers"], *fresh]
                self._answers[message["status"]] += 1
            await send(message)

        await self._app(scope, receive, guarded)
