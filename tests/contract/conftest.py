"""One PostgreSQL server for the folder; each test has databases of its own."""

from collections.abc import Iterator

import pytest

from hil_tests.postgres_server import Server, running


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    with running() as server:
        yield server
