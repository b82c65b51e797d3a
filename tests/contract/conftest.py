"""One PostgreSQL server of each kind for the folder, and the stores that each can hold."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud_sync.store.address import open_store
from cloud_sync.store.contract import Store
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


STORES = ("sqlite", *(pytest.param(kind, marks=pytest.mark.system) for kind in KINDS))


@pytest.fixture(params=STORES)
def reopen(request: pytest.FixtureRequest, tmp_path: Path):
    """Opens the same database again and again."""
    opened: list[Store] = []
    place: Path | str = tmp_path / "cloud.db"
    if request.param in KINDS:
        place = request.getfixturevalue("postgres_servers")(request.param).create()

    def open_one() -> Store:
        opened.append(open_store(place))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(reopen: Callable[[], Store]) -> Store:
    return reopen()
