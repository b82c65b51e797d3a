"""Changing a key file in place: comments, order and everything else in it stay as they are.

Each key has a header line of its own, [tenant.gateway] or [[tenant.gateway]]; the result is read
again and compared with what was wanted before it replaces the file.
"""

import json
import tomllib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from cloud_sync.keys import Key, parse_keys, read_secret, write_secret
from edge.core.errors import ConfigError, UsageError


class _Header(NamedTuple):
    line: int
    owner: tuple[str, str]
    is_single: bool


def add_key(path: Path, owner: tuple[str, str], key: Key) -> None:
    """Give a gateway one more key; a file that is not there is made.

    Raises ConfigError.
    """
    text = read_secret(path) if path.exists() else ""
    before = parse_keys(path, text)
    lines = text.splitlines(keepends=True)
    for header in _headers(lines):
        if header.owner == owner and header.is_single:
            lines[header.line] = _doubled(lines[header.line], owner)
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += "\n"
    block = ["\n"] if lines else []
    block += [f"[[{_quoted(owner[0])}.{_quoted(owner[1])}]]\n", f'key = "{key.secret.hex()}"\n']
    for name, at_ms in (("from", key.from_ms), ("until", key.until_ms)):
        if at_ms is not None:
            block.append(f"{name} = {datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()}\n")
    wanted = {other: before.of(*other) for other in before.owners()}
    wanted[owner] = (*before.of(*owner), key)
    _replace(path, [*lines, *block], wanted)


def revoke_key(path: Path, identity: str, reason: str) -> tuple[tuple[str, str], Key]:
    """Take back the key of an id; returns whose it is, and the key.

    Raises UsageError "usage.value" for an id that no standing key has, ConfigError.
    """
    text = read_secret(path)
    before = parse_keys(path, text)
    lines = text.splitlines(keepends=True)
    wanted = {owner: list(before.of(*owner)) for owner in before.owners()}
    for owner, keys in wanted.items():
        for at, key in enumerate(keys):
            if key.id == identity and not key.revoked:
                keys[at] = key._replace(revoked=reason)
                headers = [header for header in _headers(lines) if header.owner == owner]
                if len(headers) == len(keys):
                    told = json.dumps(reason, ensure_ascii=False)
                    line = headers[at].line
                    lines[line] = lines[line].rstrip("\n") + f"\nrevoked = {told}\n"
                _replace(path, lines, wanted)
                return owner, keys[at]
    raise UsageError(
        "usage.value", option="ID", found=identity, expected="an id of keys list, not revoked yet"
    )


def _replace(
    path: Path, lines: list[str], wanted: Mapping[tuple[str, str], Sequence[Key]]
) -> None:
    text = "".join(lines)
    after = parse_keys(path, text)
    if {owner: list(after.of(*owner)) for owner in after.owners()} != {
        owner: list(keys) for owner, keys in wanted.items()
    }:
        raise ConfigError(
            "config.value",
            file=str(path),
            key="a gateway",
            found="in a form that cannot be changed in place",
            expected="a header line [tenant.gateway] for each key",
        )
    write_secret(path, text)


def _headers(lines: list[str]) -> list[_Header]:
    found = []
    for number, line in enumerate(lines):
        tree = _tree(line) if line.lstrip().startswith("[") else {}
        for tenant, gateways in tree.items():
            for gateway, entries in gateways.items() if isinstance(gateways, dict) else ():
                if entries in ({}, [{}]):
                    found.append(_Header(number, (tenant, gateway), entries == {}))
    return found


def _tree(line: str) -> dict[str, object]:
    try:
        return tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return {}


def _doubled(line: str, owner: tuple[str, str]) -> str:
    """The header [a.b] as [[a.b]]; names and comment may hold brackets themselves."""
    opened = line.replace("[", "[[", 1)
    for at, letter in enumerate(opened):
        candidate = opened[:at] + "]" + opened[at:]
        if letter == "]" and _tree(candidate) == {owner[0]: {owner[1]: [{}]}}:
            return candidate
    return line


def _quoted(name: str) -> str:
    is_bare = name.isascii() and name.replace("-", "").replace("_", "").isalnum()
    return name if is_bare else json.dumps(name, ensure_ascii=False)
