"""Changing a key file in place: comments, order and everything else in it stay as they are.

Each key has a header line of its own, [tenant.gateway] or [[tenant.gateway]]; the result is read
again and compared with what was wanted before it replaces the file.
"""

import json
import tomllib
from collections.abc import Callable, Mapping, Sequence
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
    place = _find(path, identity, lambda key: not key.revoked, "an id of keys list, valid so far")
    key = place.key._replace(revoked=reason)
    place.wanted[place.owner][place.at] = key
    if place.line is not None:
        told = json.dumps(reason, ensure_ascii=False)
        place.lines[place.line] = place.lines[place.line].rstrip("\n") + f"\nrevoked = {told}\n"
    _replace(path, place.lines, place.wanted)
    return place.owner, key


def remove_key(path: Path, identity: str, now_ms: int) -> tuple[tuple[str, str], Key]:
    """Take a key that is valid no more out of the file; returns whose it was, and the key.

    Raises UsageError "usage.value" for an id that no such key has, ConfigError.
    """
    place = _find(
        path,
        identity,
        lambda key: bool(key.revoked) or (key.until_ms is not None and key.until_ms <= now_ms),
        "an id of keys list that is revoked or expired: revoke it first",
    )
    del place.wanted[place.owner][place.at]
    if not place.wanted[place.owner]:
        del place.wanted[place.owner]
    if place.line is not None:
        del place.lines[place.line : _end_of(place.lines, place.line)]
    _replace(path, place.lines, place.wanted)
    return place.owner, place.key


class _Place(NamedTuple):
    """A key in a file. line: of its header, None where it has none of its own."""

    owner: tuple[str, str]
    at: int
    key: Key
    lines: list[str]
    line: int | None
    wanted: dict[tuple[str, str], list[Key]]


def _find(path: Path, identity: str, fits: Callable[[Key], bool], expected: str) -> _Place:
    text = read_secret(path)
    before = parse_keys(path, text)
    lines = text.splitlines(keepends=True)
    wanted = {owner: list(before.of(*owner)) for owner in before.owners()}
    for owner, keys in wanted.items():
        for at, key in enumerate(keys):
            if key.id == identity and fits(key):
                headers = [header for header in _headers(lines) if header.owner == owner]
                line = headers[at].line if len(headers) == len(keys) else None
                return _Place(owner, at, key, lines, line, wanted)
    raise UsageError("usage.value", option="ID", found=identity or "nothing", expected=expected)


def _end_of(lines: list[str], header: int) -> int:
    """After the last line of a header's table; comments and blanks below it stay."""
    end = header + 1
    for number in range(header + 1, len(lines)):
        text = lines[number].strip()
        if text.startswith("["):
            break
        if text and not text.startswith("#"):
            end = number + 1
    return end


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
    except (ValueError, RecursionError):
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
