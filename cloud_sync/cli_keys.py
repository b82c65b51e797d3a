"""`carbontally keys`: which gateways may send to a receiver, and with which keys."""

import json as json_module
import secrets
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cloud_sync.key_edit import add_key, remove_key, revoke_key
from cloud_sync.keys import Key, read_keys, read_secret
from edge.core.errors import UsageError
from edge.core.journal.chain import KEY_BYTES, parse_key
from edge.core.schema import nearest

ACTIONS = ("add", "list", "revoke", "remove")
_REASON_MAX_CHARS = 200


def keys(
    action: Annotated[str, typer.Argument(help="add, list, revoke or remove")],
    what: Annotated[
        str,
        typer.Argument(
            metavar="[WHAT]", help="add: tenant/gateway; revoke, remove: id of the key"
        ),
    ] = "",
    file: Annotated[Path, typer.Option(help="key file, mode 0600")] = Path("keys.toml"),
    key_file: Annotated[
        Path | None, typer.Option(help="add: the gateway's key (mode 0600); else one is made")
    ] = None,
    since: Annotated[str, typer.Option("--from", help="add: valid from this time on")] = "",
    until: Annotated[str, typer.Option(help="add: valid before this time")] = "",
    reason: Annotated[str, typer.Option(help="revoke: why; it is kept")] = "",
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Add, list, revoke, remove device keys; a key that is made here is shown once."""
    if action == "add":
        _add(file, what, key_file, (_time_ms("--from", since), _time_ms("--until", until)), json)
    elif action == "list":
        known = read_keys(file)
        for owner in known.owners():
            for key in known.of(*owner):
                _print(owner, key, json)
    elif action == "revoke":
        if not reason.isprintable() or not 0 < len(reason) <= _REASON_MAX_CHARS:
            raise _usage("--reason", reason or "nothing", "why the key is valid no more")
        _print(*revoke_key(file, what, reason), json)
    elif action == "remove":
        _print(*remove_key(file, what, time.time_ns() // 1_000_000), json)
    else:
        raise _usage(
            "ACTION", action, nearest(action, list(ACTIONS)) or "one of " + ", ".join(ACTIONS)
        )
    return 0


def _add(
    file: Path,
    what: str,
    key_file: Path | None,
    times_ms: tuple[int | None, int | None],
    json: bool,
) -> None:
    tenant, _, gateway = what.partition("/")
    if not tenant or not gateway or "/" in gateway:
        raise _usage("WHAT", what or "nothing", "tenant/gateway")
    taken = parse_key(read_secret(key_file), str(key_file)) if key_file else None
    key = Key(taken or secrets.token_bytes(KEY_BYTES), *times_ms)
    add_key(file, (tenant, gateway), key)
    _print((tenant, gateway), key, json, "" if taken else key.secret.hex())


def _print(owner: tuple[str, str], key: Key, json: bool, shown: str = "") -> None:
    objection = key.objection(time.time_ns() // 1_000_000)
    if json:
        fields: dict[str, object] = {
            "tenant": owner[0],
            "gateway": owner[1],
            "id": key.id,
            "valid": not objection,
            "from": _text(key.from_ms),
            "until": _text(key.until_ms),
            "revoked": key.revoked or None,
        }
        print(json_module.dumps({**fields, "key": shown} if shown else fields))
        return
    bounds = f"  from {_text(key.from_ms)}" if key.from_ms is not None else ""
    bounds += f"  until {_text(key.until_ms)}" if key.until_ms is not None else ""
    print(f"{key.id}  {owner[0]}/{owner[1]}  {objection or 'valid'}{bounds}")
    if shown:
        print(shown)


def _time_ms(option: str, text: str) -> int | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _usage(option, text, "a time like 2026-11-20T08:00:00+08:00")
    return int(at.timestamp()) * 1000


def _text(at_ms: int | None) -> str | None:
    return None if at_ms is None else datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()


def _usage(option: str, found: str, expected: str) -> UsageError:
    return UsageError("usage.value", option=option, found=found, expected=expected)
