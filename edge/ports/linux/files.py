"""Files on Linux: configuration, profiles, factor sets and secrets, each checked before use."""

import hashlib
import json
import os
import stat
import tomllib
from pathlib import Path
from typing import Any

from edge.core.errors import ConfigError
from edge.core.journal.chain import parse_key
from edge.core.schema import check_document, nearest

#: A configuration larger than this is a mistake or an attack.
FILE_MAX_BYTES = 1_000_000

EDGE = Path(__file__).parents[2]
PROFILES = EDGE / "profiles"
FACTORS = EDGE / "factors"


def read_bytes(path: Path) -> bytes:
    """The content of a small file; ConfigError "config.file" when it cannot be had."""
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)  # a device may have no end
        if len(data) > FILE_MAX_BYTES:
            raise ConfigError("config.file", file=str(path), reason="larger than 1 MB")
        return data
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError("config.file", file=str(path), reason=reason) from error


def digest(data: bytes) -> bytes:
    """SHA-256 of a file's bytes."""
    return hashlib.sha256(data).digest()


def parse_toml(data: bytes, file: str) -> dict[str, Any]:
    """Parse TOML; ConfigError "config.syntax" names the line where the parser does."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except RecursionError as error:
        raise ConfigError("config.syntax", file=file, reason="nested too deep") from error
    except ValueError as error:  # also of an integer of thousands of digits
        raise ConfigError("config.syntax", file=file, reason=str(error)) from error


def read_document(path: Path, schema: Path) -> dict[str, Any]:
    """Parse a TOML file and check it against a JSON Schema file."""
    document = parse_toml(read_bytes(path), str(path))
    check_document(document, json.loads(schema.read_text("utf-8")), str(path))
    return document


def _library(folder: Path, schema: str, name: str, file: str, key: str) -> dict[str, Any]:
    known = sorted(path.stem for path in folder.glob("*.toml"))
    if name not in known:
        kind = folder.name
        guess = nearest(name, known) or f"one that `carbontally {kind} list` shows"
        raise ConfigError("config.reference", file=file, key=key, found=name, nearest=guess)
    return read_document(folder / (name + ".toml"), folder / schema)


def read_profile(name: str, file: str, key: str) -> dict[str, Any]:
    """The document of a device profile; `file` and `key` say who asked, for the error."""
    return _library(PROFILES, "profile.schema.json", name, file, key)


def read_factors(name: str, file: str, key: str) -> dict[str, Any]:
    """The document of a factor set."""
    return _library(FACTORS, "factors.schema.json", name, file, key)


def read_tariff(path: Path) -> dict[str, Any]:
    """The document of a site's own tariff."""
    return read_document(path, FACTORS / "tariff.schema.json")


def check_private(path: Path) -> None:
    """Refuse a secret that others may read: ConfigError "config.secret"."""
    try:
        mode = path.stat().st_mode
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigError("config.secret", file=str(path), reason=reason) from error
    if stat.S_IMODE(mode) & 0o077:
        raise ConfigError("config.secret", file=str(path), reason="others may read it")


def read_key(path: Path) -> bytes:
    """The device key: 64 hexadecimal digits in a file that only its owner may read."""
    check_private(path)
    return parse_key(read_bytes(path).decode("ascii", "replace"), str(path))


def read_password(path: Path) -> str:
    """The first line of a file that only its owner may read."""
    check_private(path)
    try:
        return read_bytes(path).decode("utf-8").split("\n")[0].removesuffix("\r")
    except UnicodeDecodeError as error:
        raise ConfigError("config.file", file=str(path), reason="not UTF-8 text") from error


def write_private(path: Path, text: str) -> None:
    """Create a file with mode 0600 from the first moment on; it must not exist."""
    with os.fdopen(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(text)
