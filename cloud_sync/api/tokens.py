"""The token file: who may read which tenant. It holds hashes, so a copy of it opens nothing.

A token is "ct_" + its id + "_" + 32 random bytes. As those are random, one SHA-256 is enough; the
comparison takes the same time whatever differs.
"""

import hashlib
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import NamedTuple

from cloud_sync.keys import read_secret, write_secret
from edge.core.errors import ConfigError, UsageError

_VERSION = 1
_PREFIX = "ct_"
_ID_BYTES = 4
_SECRET_BYTES = 32
_DAY_S = 86_400

#: What an unknown token is compared with.
_NOBODY = hashlib.sha256(b"nobody").hexdigest()


class Token(NamedTuple):
    """One row of the file. sha256: hexadecimal; created_s, expires_s: Unix time, 0 for never."""

    id: str
    name: str
    tenant: str
    sha256: str
    created_s: int
    expires_s: int


def read_tokens(path: Path) -> list[Token]:
    """The tokens of a file that only its owner may read.

    Raises ConfigError: "config.secret", "config.file".
    """
    text = read_secret(path)
    try:
        document = json.loads(text)
        tokens = [Token(**row) for row in document["tokens"]]
        is_known = document["version"] == _VERSION
        kinds = [type(value) for token in tokens for value in token]
    except (ValueError, TypeError, KeyError) as error:
        raise ConfigError("config.file", file=str(path), reason="no token file") from error
    if not is_known or kinds != [str, str, str, str, int, int] * len(tokens):
        raise ConfigError("config.file", file=str(path), reason="no token file of version 1")
    return tokens


def write_tokens(path: Path, tokens: list[Token]) -> None:
    """Replace the file, all of it or nothing, mode 0600 from the first moment on."""
    document = {"version": _VERSION, "tokens": [token._asdict() for token in tokens]}
    write_secret(path, json.dumps(document, indent=1, ensure_ascii=False))


def add_token(path: Path, tenant: str, name: str, days: int) -> tuple[Token, str]:
    """Make a token; returns its row and the text that is shown once. days: 0 for no end."""
    tokens = read_tokens(path) if path.exists() else []
    identity = secrets.token_hex(_ID_BYTES)
    text = _PREFIX + identity + "_" + secrets.token_urlsafe(_SECRET_BYTES)
    now_s = int(time.time())
    expires_s = now_s + days * _DAY_S if days else 0
    digest = hashlib.sha256(text.encode()).hexdigest()
    token = Token(identity, name, tenant, digest, now_s, expires_s)
    write_tokens(path, [*tokens, token])
    return token, text


def revoke_token(path: Path, identity: str) -> Token:
    """Take a token out of the file; UsageError "usage.value" for an id that is not in it."""
    tokens = read_tokens(path)
    for token in tokens:
        if token.id == identity:
            write_tokens(path, [other for other in tokens if other is not token])
            return token
    raise UsageError("usage.value", option="ID", found=identity, expected="an id of tokens list")


class Gate:
    """Lets a request in by its token. The file is read again when it has changed."""

    def __init__(self, path: Path) -> None:
        """Raises ConfigError as `read_tokens` does."""
        self._path = path
        self._seen: tuple[int, int] | None = None
        self._by_id: dict[str, Token] = {}
        self._refresh()

    def find(self, text: str, now_s: int) -> Token | None:
        """The token whose text this is, None for no such token or one that has expired."""
        self._refresh()
        identity = text.removeprefix(_PREFIX).partition("_")[0]
        token = self._by_id.get(identity)
        given = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
        is_it = hmac.compare_digest(given, _NOBODY if token is None else token.sha256)
        if token is None or not is_it or 0 < token.expires_s <= now_s:
            return None
        return token

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
        except OSError:
            # A file that went away lets nobody in; the start has refused one that is not there.
            if self._seen is None:
                read_tokens(self._path)
            self._seen, self._by_id = (0, 0), {}
            return
        seen = (status.st_mtime_ns, status.st_ino)
        if seen != self._seen:
            self._by_id = {token.id: token for token in read_tokens(self._path)}
            self._seen = seen
