"""The receiver's key file: which gateways may send, and the keys each one signs with.

TOML, readable by its owner only. One table for a gateway with one key, one more table for each
further key of it:

    [[tenant.gateway]]
    key = "64 hexadecimal digits"       # or: key_file = "path, relative to this file"
    from = 2026-11-20T08:00:00+08:00    # optional: valid from then on
    until = 2027-11-20T08:00:00+08:00   # optional: valid before then
    revoked = "why"                     # optional: valid no more

A key is never part of an error, a log or a repr. No two gateways have the same key: what one
signs would pass for the other's.
"""

import difflib
import hashlib
import os
import stat
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from edge.core.errors import ConfigError
from edge.core.journal.chain import parse_key

#: Most keys of one gateway: each message may have to be tried with all of them.
KEYS_PER_GATEWAY_MAX = 8

_SECRET_FIELDS = ("key", "key_file")
_FIELDS = (*_SECRET_FIELDS, "from", "until", "revoked")


class Key(NamedTuple):
    """One key of a gateway. from_ms, until_ms: Unix milliseconds, None for no bound.

    revoked: why it is valid no more, "" while it is.
    """

    secret: bytes
    from_ms: int | None = None
    until_ms: int | None = None
    revoked: str = ""

    @property
    def id(self) -> str:
        """Eight digits that name the key and tell nothing of it."""
        return hashlib.sha256(b"carbontally key id" + self.secret).hexdigest()[:8]

    def objection(self, now_ms: int) -> str:
        """Why it may not be used now, "" when it may."""
        if self.revoked:
            return f"revoked: {self.revoked}"
        if self.from_ms is not None and now_ms < self.from_ms:
            return "not valid yet"
        if self.until_ms is not None and now_ms >= self.until_ms:
            return "expired"
        return ""

    def __repr__(self) -> str:
        return f"Key {self.id}"


class Keys:
    """Device keys by (tenant, gateway): the bytes of one, or several with their times."""

    def __init__(self, keys: Mapping[tuple[str, str], bytes | Sequence[Key]]) -> None:
        self._keys = {
            owner: (Key(found),) if isinstance(found, bytes) else tuple(found)
            for owner, found in keys.items()
        }

    def of(self, tenant: str, gateway: str) -> tuple[Key, ...]:
        """All keys of a gateway as they stand in the file; none for one that is not registered."""
        return self._keys.get((tenant, gateway), ())

    def has(self, tenant: str, gateway: str) -> bool:
        """True for a gateway that was registered when the keys were last read."""
        return (tenant, gateway) in self._keys

    def find(self, tenant: str, gateway: str) -> bytes | None:
        """The latest key of a gateway that is not revoked, or None."""
        standing = [key.secret for key in self.of(tenant, gateway) if not key.revoked]
        return standing[-1] if standing else None

    def owners(self) -> list[tuple[str, str]]:
        """(tenant, gateway) of all that are registered, ascending."""
        return sorted(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __repr__(self) -> str:
        return f"Keys of {len(self._keys)} gateways"


class WatchedKeys(Keys):
    """The keys of a file that is read again when it has changed.

    A file that cannot be read any more leaves the keys as they were: `failed` is called with the
    error, once for each change.
    """

    def __init__(self, path: Path, failed: Callable[[ConfigError], None]) -> None:
        """Raises ConfigError as `read_keys` does."""
        self._path, self._failed = path, failed
        self._seen = self._mark()
        super().__init__(read_keys(path)._keys)

    def _mark(self) -> tuple[int, int]:
        try:
            status = self._path.stat()
        except OSError:
            return (0, 0)
        return status.st_mtime_ns, status.st_ino

    def of(self, tenant: str, gateway: str) -> tuple[Key, ...]:
        seen = self._mark()
        if seen != self._seen:
            self._seen = seen
            try:
                self._keys = read_keys(self._path)._keys
            except ConfigError as error:
                self._failed(error)
        return super().of(tenant, gateway)


def read_keys(path: Path) -> Keys:
    """Read a key file.

    Raises ConfigError: "config.secret" for a file that others may read or a key that is none,
    "config.file", "config.syntax", "config.unknown_key", "config.missing_key", "config.value",
    "config.duplicate" for a key that stands twice.
    """
    return parse_keys(path, read_secret(path))


def parse_keys(path: Path, text: str) -> Keys:
    """The keys of a file's text, as `read_keys`."""
    try:
        tree = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # what the parser ends in, not syntax alone
        raise ConfigError("config.syntax", file=str(path), reason=str(error))
    found: dict[tuple[str, str], list[Key]] = {}
    names: dict[bytes, str] = {}
    for tenant, gateways in tree.items():
        for gateway, entries in _table(path, tenant, gateways).items():
            name = f"{tenant}.{gateway}"
            _check_topic_level(path, tenant)
            _check_topic_level(path, gateway)
            found[tenant, gateway] = []
            for entry in _entries(path, name, entries):
                key = _read_key(path, name, _table(path, name, entry))
                if key.secret in names:
                    raise ConfigError(
                        "config.duplicate",
                        file=str(path),
                        key=f"the key of {names[key.secret]}",
                        found=name,
                    )
                names[key.secret] = name
                found[tenant, gateway].append(key)
    return Keys(found)


def _entries(path: Path, name: str, entries: object) -> list[object]:
    if not isinstance(entries, list):
        return [entries]
    if len(entries) > KEYS_PER_GATEWAY_MAX:
        expected = f"at most {KEYS_PER_GATEWAY_MAX}: keys remove one that is valid no more"
        raise _wrong(path, name, f"{len(entries)} keys", expected)
    return entries


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


def write_secret(path: Path, text: str) -> None:
    """Replace a file, all of it or nothing, mode 0600 from the first moment on.

    Raises ConfigError "config.file".
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(fresh, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    except OSError as error:
        with suppress(OSError):  # a folder that nothing can be written to
            fresh.unlink(missing_ok=True)
        raise ConfigError("config.file", file=str(path), reason=str(error.strerror)) from error


def _table(path: Path, name: str, value: object) -> dict[str, object]:
    if isinstance(value, dict):
        return value
    # The value may be a key in the wrong place: it is not repeated.
    found = f"no table but {type(value).__name__}"
    raise _wrong(path, name, found, "a table [tenant.gateway]")


def _check_topic_level(path: Path, name: str) -> None:
    if not name or not name.isprintable() or set(name) & set("/+#"):
        expected = "a name that can stand in a topic: no /, + or #"
        raise _wrong(path, "a table", repr(name), expected)


def _read_key(path: Path, name: str, fields: dict[str, object]) -> Key:
    for field in fields:
        if field not in _FIELDS:
            near = difflib.get_close_matches(field, _FIELDS, 1, 0)[0]
            wrong = f"{name}.{field}"
            raise ConfigError("config.unknown_key", file=str(path), key=wrong, nearest=near)
    given = [field for field in _SECRET_FIELDS if field in fields]
    if len(given) != 1:
        expected = "key or key_file, one of them"
        raise ConfigError("config.missing_key", file=str(path), key=name, expected=expected)
    text = _text(path, name, given[0], fields)
    if given[0] == "key":
        secret = parse_key(text, f"{path}: {name}")
    else:
        other = path.parent / text
        secret = parse_key(read_secret(other), str(other))
    revoked = _text(path, name, "revoked", fields) if "revoked" in fields else ""
    if "revoked" in fields and not revoked:
        raise _wrong(path, f"{name}.revoked", "empty", "the reason")
    return Key(
        secret,
        _time_ms(path, name, "from", fields),
        _time_ms(path, name, "until", fields),
        revoked,
    )


def _text(path: Path, name: str, field: str, fields: dict[str, object]) -> str:
    value = fields[field]
    if not isinstance(value, str):
        raise _wrong(path, f"{name}.{field}", f"no text but {type(value).__name__}", "text")
    return value


def _time_ms(path: Path, name: str, field: str, fields: dict[str, object]) -> int | None:
    value = fields.get(field)
    if value is None:
        return None
    if not isinstance(value, datetime) or value.tzinfo is None:
        expected = "a time with an offset, like 2026-11-20T08:00:00+08:00"
        raise _wrong(path, f"{name}.{field}", f"no such time ({type(value).__name__})", expected)
    return int(value.timestamp()) * 1000


def _wrong(path: Path, key: str, found: str, expected: str) -> ConfigError:
    return ConfigError("config.value", file=str(path), key=key, found=found, expected=expected)
