"""`carbontally quarantine`: what a receiver refused, why, and what becomes of it after a fix."""

import json as json_module
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from paho.mqtt import MQTTException
from paho.mqtt.publish import multiple

from cloud_sync.broker import Broker, parse_broker, server_name, trust
from cloud_sync.cli_audit import StoreOption, progress, reading
from cloud_sync.keys import read_keys, read_secret
from cloud_sync.quarantine import Outcome, Refused, claims_of, read_refused, replay
from cloud_sync.receiver import Receiver, Reply
from cloud_sync.store.address import open_store, parse_address
from cloud_sync.tongue import told
from edge.core.errors import SyncError, UsageError
from edge.core.errors.table import printable
from edge.core.schema import nearest

ACTIONS = ("list", "show", "replay")
_REFUSED = 65
_SHOWN_BYTES = 64


def quarantine(
    action: Annotated[str, typer.Argument(help="list, show or replay")],
    identity: Annotated[
        str, typer.Argument(metavar="[ID]", help="that list shows; replay without it: all")
    ] = "",
    store: StoreOption = "",
    gateway: Annotated[str, typer.Option(help="list, replay: only of this tenant/id")] = "",
    keys: Annotated[
        Path | None, typer.Option(help="replay: the receiver's key file (mode 0600)")
    ] = None,
    broker: Annotated[
        str, typer.Option(help="replay: publish the acks there, mqtt:// or mqtts://host[:port]")
    ] = "",
    ca: Annotated[Path | None, typer.Option(help="authorities to trust for mqtts, PEM")] = None,
    user: Annotated[str | None, typer.Option(help="user at the broker")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="file with the password (mode 0600)")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """List and show refused messages, or take them again; exit status 65 if one is refused."""
    number = _number(identity)
    if action == "list":
        _list(store, gateway, json)
        return 0
    if action == "show":
        _show(store, number, json)
        return 0
    if action != "replay":
        expected = nearest(action, list(ACTIONS)) or "one of " + ", ".join(ACTIONS)
        raise _usage("ACTION", action, expected)
    if keys is None:
        raise _usage("--keys", "nothing", "the receiver's key file")
    place = None
    if broker:
        password = read_secret(password_file).strip() if password_file else None
        place = Broker(*parse_broker(broker), "", ca, user, password)
    return _replay(store, (number, gateway), keys, place, json)


def _list(url: str, gateway: str, json: bool) -> None:
    with reading(url) as database:
        found = read_refused(database, None, gateway)
    for one in found:
        print(json_module.dumps(_fields(one)) if json else _line(one))
    if not found and not json:
        print(f"nothing in quarantine of {printable(gateway) if gateway else 'this store'}")


def _show(url: str, number: int | None, json: bool) -> None:
    with reading(url) as database:
        found = read_refused(database, -1 if number is None else number)
    if not found:
        raise _usage("ID", str(number or "nothing"), "an id of quarantine list")
    payload = found[0].payload
    fields = {**_fields(found[0]), "claims": claims_of(payload)}
    if json:
        print(json_module.dumps({**fields, "payload": None if payload is None else payload.hex()}))
        return
    for name, value in fields.items():
        print(f"{name:8} {printable(str(value))}")
    if payload is not None:
        more = " ..." if len(payload) > _SHOWN_BYTES else ""
        print(f"payload  {payload[:_SHOWN_BYTES].hex(' ')}{more}")


def _replay(
    url: str, which: tuple[int | None, str], keys: Path, place: Broker | None, json: bool
) -> int:
    known = read_keys(keys)
    with reading(url) as database:
        found = read_refused(database, *which)
    if which[0] is not None and not found:
        raise _usage("ID", str(which[0]), "an id of quarantine list")
    acks: dict[str, Reply] = {}
    stored = 0
    with (
        closing(open_store(parse_address(url))) as writable,
        progress("replay", len(found), json) as advance,
    ):
        for outcome in replay(writable, Receiver(writable, known, _now_ms), found):
            advance(1)
            _tell(outcome, json)
            if outcome.reply is not None:
                stored += 1
                acks[outcome.reply.topic] = outcome.reply
    if place is not None and acks:
        _publish(place, list(acks.values()))
    if not json:
        print(f"{stored} of {len(found)} stored, {len(found) - stored} stay in quarantine")
    return 0 if stored == len(found) else _REFUSED


def _tell(outcome: Outcome, json: bool) -> None:
    one, error = outcome.refused, outcome.error
    status = "stored" if outcome.reply else "refused" if error else "incomplete"
    text = told(error)[0] if error else ""
    if json:
        fields = {"id": one.id, "gateway": one.owner or None, "status": status}
        print(json_module.dumps({**fields, "code": error.code if error else None, "text": text}))
        return
    why = f"[{error.code}]: {text}" if error else ""
    print(f"{one.id}  {printable(one.owner or one.topic)}  {status}{why}")


def _publish(place: Broker, acks: list[Reply]) -> None:
    """Publish acks, retained; raises SyncError "sync.offline"."""
    host, port = place.servers[0]
    auth = None if place.user is None else {"username": place.user, "password": place.password}
    messages = [(ack.topic, ack.payload, 1, True) for ack in acks]
    context = trust(place.ca) if place.tls else None
    try:
        multiple(messages, host, port, auth=auth, tls=context)  # type: ignore[arg-type]
    except (OSError, MQTTException) as error:
        server = server_name(place.servers)
        raise SyncError("sync.offline", server=server, reason=str(error)) from error


def _fields(one: Refused) -> dict[str, object]:
    return {
        "id": one.id,
        "gateway": one.owner or None,
        "topic": one.topic,
        "code": one.code,
        "text": told(one.reason)[0],
        "bytes": one.size_bytes,
        "sha256": one.digest.hex(),
        "whole": one.is_whole,
        "first": _time(one.first_ms),
        "last": _time(one.last_ms),
        "count": one.times,
    }


def _line(one: Refused) -> str:
    times = f" x{one.times}" if one.times > 1 else ""
    kept = "" if one.is_whole else "  not kept whole"
    return (
        f"{one.id}  {_time(one.last_ms)}  {printable(one.owner or one.topic)}  {one.size_bytes} B"
        f"{times}  [{one.code}]: {told(one.reason)[0]}{kept}"
    )


def _number(identity: str) -> int | None:
    if not identity:
        return None
    if not identity.isascii() or not identity.isdigit():
        raise _usage("ID", identity, "an id of quarantine list")
    return min(int(identity), (1 << 63) - 1)


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms // 1000, UTC).isoformat()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _usage(option: str, found: str, expected: str) -> UsageError:
    return UsageError("usage.value", option=option, found=found, expected=expected)
