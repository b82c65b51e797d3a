"""`carbontally tokens`: who may read a store over HTTP."""

import json as json_module
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from cloud_sync.api.tokens import Token, add_token, read_tokens, revoke_token
from edge.core.errors import UsageError
from edge.core.schema import nearest

ACTIONS = ("add", "list", "revoke")
_NAME = re.compile(r"[^\x00-\x1f/+#]{1,100}")


def tokens(
    action: Annotated[str, typer.Argument(help="add, list or revoke")],
    identity: Annotated[
        str, typer.Argument(metavar="[ID]", help="revoke: the id that list shows")
    ] = "",
    file: Annotated[Path, typer.Option(help="token file, mode 0600")] = Path("tokens.json"),
    tenant: Annotated[str, typer.Option(help="add: what it may read")] = "",
    name: Annotated[str, typer.Option(help="add: whose it is")] = "",
    days: Annotated[int, typer.Option(min=0, help="add: valid for; 0 for ever")] = 365,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Make, list and take back the tokens of the HTTP API; a token is shown once."""
    if action == "add":
        for option, text in (("--tenant", tenant), ("--name", name)):
            if not _NAME.fullmatch(text):
                raise UsageError(
                    "usage.value", option=option, found=text or "nothing", expected="a name"
                )
        token, text = add_token(file, tenant, name, days)
        if json:
            print(json_module.dumps({**_fields(token), "token": text}))
        else:
            print(text)
    elif action == "list":
        for token in read_tokens(file):
            print(json_module.dumps(_fields(token)) if json else _line(token))
    elif action == "revoke":
        token = revoke_token(file, identity)
        print(json_module.dumps(_fields(token)) if json else f"revoked {_line(token)}")
    else:
        expected = nearest(action, list(ACTIONS)) or "one of " + ", ".join(ACTIONS)
        raise UsageError("usage.value", option="ACTION", found=action, expected=expected)
    return 0


def _fields(token: Token) -> dict[str, object]:
    shown = {name: value for name, value in token._asdict().items() if name != "sha256"}
    return {**shown, "created": _day(token.created_s), "expires": _day(token.expires_s)}


def _line(token: Token) -> str:
    until = f"until {_day(token.expires_s)}" if token.expires_s else "for ever"
    return f"{token.id}  {token.tenant}  {token.name}  from {_day(token.created_s)} {until}"


def _day(at_s: int) -> str | None:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d") if at_s else None
