"""The receiver's key file: which gateways may send, and the key each one signs with.

TOML, one table a gateway, readable by its owner only:

    [tenant.gateway]
    key = "64 hexadecimal digits"       # or: key_file = "path, relative to this file"

A key is never part of an error, a log or a repr.
"""

import difflib
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path

from edge.core.errors import ConfigError
from edge.core.journal.chain import parse_key

_FIELDS = ("key", "key_file")


class Keys:
    """Device keys by (tenant, gateway)."""

    def __init__(self, keys: Mapping[tuple[str, str], bytes]) -> None:
        self._keys = dict(keys)

    def find(self, tenant: str, gateway: str) -> bytes | None:
        """The key of a gateway, or None for one that is not registered."""
        return self._keys.get((tenant, gateway))

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"Keys of {len(self._keys)} gateways"


def read_keys(path: Path) -> Keys:
    """Read a key file.

    Raises ConfigError: "config.secret" for a file that others may read or a key that is none,
    "config.file", "config.syntax", "config.unknown_key", "config.missing_key", "config.value".
    """
    try:
        tree = tomllib.loads(read_secret(path))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError("config.syntax", file=str(path), reason=str(error))
    found = {}
    for tenant, gateways in tree.items():
        for gateway, fields in _table(path, tenant, gateways).items():
            name = f"{tenant}.{gateway}"
            _check_topic_level(path, tenant)
            _check_topic_level(path, gateway)
            found[tenant, gateway] = _read_key(path, name, _table(path, name, fields))
    return Keys(found)


def read_secret(path: Path) -> str:
    """Text of a file that only its owner may read.

    Raises ConfigError "config.secret" or "config.file".
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & 0o077:
                reason = f"others may read it (mode {mode:04o})"
                raise ConfigError("config.secret", file=str(path), reason=reason)
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigError("config.file", file=str(path), reason=why)


def _table(path: Path, name: str, value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    # The value may be a key in the wrong place: it is not repeated.
    raise ConfigError(
        "config.value",
        file=str(path),
        key=name,
        found=f"no table but {type(value).__name__}",
        expected="a table [tenant.gateway]",
    )


def _check_topic_level(path: Path, name: str) -> None:
    if not name or not name.isprintable() or set(name) & set("/+#"):
        raise ConfigError(
            "config.value",
            file=str(path),
            key="a table",
            found=repr(name),
            expected="a name that can stand in a topic: no /, + or #",
        )


def _read_key(path: Path, name: str, fields: dict[str, object]) -> bytes:
    for field in fields:
        if field not in _FIELDS:
            near = difflib.get_close_matches(field, _FIELDS, 1, 0)[0]
            wrong = f"{name}.{field}"
            raise ConfigError("config.unknown_key", file=str(path), key=wrong, nearest=near)
    if len(fields) != 1:
        expected = "key or key_file, one of them"
        raise ConfigError("config.missing_key", file=str(path), key=name, expected=expected)
    ((field, value),) = fields.items()
    if not isinstance(value, str):
        raise ConfigError(
            "config.value",
            file=str(path),
            key=f"{name}.{field}",
            found=f"no text but {type(value).__name__}",
            expected="text",
        )
    if field == "key":
        return parse_key(value, f"{path}: {name}")
    other = path.parent / value
    return parse_key(read_secret(other), str(other))
