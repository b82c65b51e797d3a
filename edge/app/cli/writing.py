"""Files that a command makes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from edge.app.output import file_error


@contextmanager
def written(path: Path) -> Iterator[None]:
    """What fails in here fails at this file, or at one in this folder: UsageError "usage.file"."""
    try:
        yield
    except OSError as error:
        raise file_error(error, path) from error
