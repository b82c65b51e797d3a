"""One park for the folder, as a database file that nobody changes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.reading.database import Database, open_reading

from . import park
from .postgres import postgres


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("park") / "cloud.db"
    park.build(path)
    return path


@pytest.fixture(scope="session")
def url(cloud: Path) -> Iterator[str]:
    """The same rows in a real PostgreSQL."""
    with postgres(cloud) as found:
        yield found


@pytest.fixture
def database(cloud: Path) -> Iterator[Database]:
    found = open_reading(f"sqlite:///{cloud}")
    yield found
    found.close()
