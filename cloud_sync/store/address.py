"""Which database an address of --store names."""

from pathlib import Path

from cloud_sync.store.contract import Store
from edge.core.errors import UsageError

EXPECTED = "sqlite:///path or postgresql://host/name"

_SQLITE = "sqlite:///"
_POSTGRES = ("postgresql://", "postgres://")


def parse_address(text: str) -> Path | str:
    """The file of sqlite:///path, or the address of a PostgreSQL database as it stands.

    Raises UsageError "usage.value" for anything else.
    """
    if text.startswith(_POSTGRES):
        return text
    path = text.removeprefix(_SQLITE)
    if path == text or not path:
        # What stands behind the scheme may be a password.
        scheme, colon, _ = text.partition(":")
        found = f"{scheme}:..." if colon else text or "nothing"
        raise UsageError("usage.value", option="--store", found=found, expected=EXPECTED)
    return Path(path)


def open_store(place: Path | str, read_only: bool = False) -> Store:
    """Open what `parse_address` gave; raises StoreError "cloud.open" or "cloud.unavailable"."""
    if isinstance(place, Path):
        from cloud_sync.store.sqlite import SqliteStore

        return SqliteStore(place, read_only)
    from cloud_sync.store.postgres import PostgresStore

    return PostgresStore(place, read_only)
