"""One park for the folder, as a database file that nobody changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.reading.database import Database, open_reading
from hil_tests.postgres_server import running

from . import park
from .revised import add_result


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("park") / "cloud.db"
    park.build(path)
    add_result(path, path.parent)
    return path


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The same park in a real PostgreSQL, filled by the receiver as well."""
    with running() as server:
        address = server.create()
        park.build(address)
        add_result(address, tmp_path_factory.mktemp("result"))
        yield address


@pytest.fixture
def database(cloud: Path) -> Iterator[Database]:
    found = open_reading(f"sqlite:///{cloud}")
    yield found
    found.close()
