"""One PostgreSQL server of each kind for the folder; each test has databases of its own."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from hil_tests.postgres_server import Server, TimescaleServer, running

#: Debian's PostgreSQL, and the newest with TimescaleDB.
KINDS: dict[str, type[Server]] = {"postgres": Server, "timescale": TimescaleServer}

#: Has a test run with each kind as its `postgres_server`.
BOTH = pytest.mark.parametrize("postgres_server", list(KINDS), indirect=True, scope="session")


@pytest.fixture(scope="session")
def postgres_servers() -> Iterator[Callable[[str], Server]]:
    """Gives the server of a kind, which starts when it is asked for first."""
    with ExitStack() as stack:
        started: dict[str, Server] = {}

        def find(kind: str) -> Server:
            if kind not in started:
                started[kind] = stack.enter_context(running(kind=KINDS[kind]))
            return started[kind]

        yield find


# A parameter always, so that what is built on it is built once for tests of one and of both.
@pytest.fixture(scope="session", params=["postgres"])
def postgres_server(
    request: pytest.FixtureRequest, postgres_servers: Callable[[str], Server]
) -> Server:
    """Debian's, or each of `BOTH`."""
    return postgres_servers(request.param)
