"""`carbontally conformance`: play the contract at a receiver and report rule by rule."""

import json as json_module
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cloud_sync.broker import Broker, parse_broker
from cloud_sync.conformance.player import BrokenRuleError, FormNotTakenError, Player
from cloud_sync.conformance.rules import RULES, Rule, restart_rule, revoked_rule
from cloud_sync.keys import read_secret
from edge.core.errors import UsageError
from edge.core.journal.chain import parse_key

_RESTART_S = 60


class Result(NamedTuple):
    """How a rule came out: "pass", "fail" with what happened, or "skip" with why."""

    rule: str
    section: str
    status: str
    text: str


def play(player: Player, rules: Sequence[Rule]) -> Iterator[Result]:
    """Play rules one after the other; without any ack the others are skipped.

    Raises SyncError when the broker cannot be used.
    """
    player.connect()
    try:
        is_deaf = False
        for rule in rules:
            if is_deaf:
                yield Result(rule.name, rule.section, "skip", "nothing is acknowledged")
                continue
            try:
                rule.play(player)
            except BrokenRuleError as error:
                is_deaf = rule is RULES[0]
                player.forget()
                yield Result(rule.name, rule.section, "fail", str(error))
            except FormNotTakenError as error:
                yield Result(rule.name, rule.section, "skip", str(error))
            else:
                yield Result(rule.name, rule.section, "pass", rule.text)
    finally:
        player.close()


def conformance(
    broker: Annotated[str, typer.Option(help="mqtt://host[:port] or mqtts://host[:port]")],
    tenant: Annotated[str, typer.Option(help="tenant of the kit's gateway")],
    gateway: Annotated[str, typer.Option(help="gateway id that the receiver knows, for the kit")],
    key_file: Annotated[Path, typer.Option(help="its device key: 64 digits (mode 0600)")],
    restart: Annotated[
        str, typer.Option(help="command that kills the receiver and starts it again")
    ] = "",
    revoked_key_file: Annotated[
        Path | None, typer.Option(help="a key of the gateway that was revoked (mode 0600)")
    ] = None,
    ca: Annotated[Path | None, typer.Option(help="authorities to trust for mqtts, PEM")] = None,
    user: Annotated[str | None, typer.Option(help="user at the broker")] = None,
    password_file: Annotated[
        Path | None, typer.Option(help="file with the password (mode 0600)")
    ] = None,
    rule: Annotated[list[str] | None, typer.Option(help="only this one; may be repeated")] = None,
    wait_s: Annotated[float, typer.Option(min=0.1, help="how long an ack may take")] = 10.0,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a rule")] = False,
) -> int:
    """Play good, bad and worse batches at a receiver; exit status 65 if it breaks a rule."""
    key = _read_key(key_file)
    revoked = _read_key(revoked_key_file) if revoked_key_file else None
    password = read_secret(password_file).strip() if password_file else None
    place = Broker(*parse_broker(broker), "kit", ca, user, password)
    results = []
    player = Player(place, tenant, gateway, key, wait_s)
    for result in play(player, _choose(rule or [], restart, revoked)):
        results.append(result)
        if json:
            print(json_module.dumps(result._asdict()), flush=True)
        else:
            text = f"{result.status.upper():4} {result.rule:16} {result.section:20} {result.text}"
            print(text, flush=True)
    statuses = [one.status for one in results]
    if not json:
        skipped = f", {statuses.count('skip')} skipped" if "skip" in statuses else ""
        print(f"{statuses.count('pass')} of {len(results)} rules hold{skipped}")
        _print_unplayed(revoked, restart)
    return 65 if "fail" in statuses else 0


def _read_key(path: Path) -> bytes:
    return parse_key(read_secret(path), str(path))


def _print_unplayed(revoked: bytes | None, restart: str) -> None:
    if revoked is None:
        print("not played: revoked-key, which needs --revoked-key-file")
    if not restart:
        print("not played: committed, which needs --restart")


def _choose(names: list[str], restart: str, revoked: bytes | None) -> list[Rule]:
    rules = [*RULES, *([revoked_rule(revoked)] if revoked else [])]
    rules += [restart_rule(_restarter(restart))] if restart else []
    known = [one.name for one in rules]
    for name in names:
        if name not in known:
            expected = "one of " + ", ".join(known)
            raise UsageError("usage.value", option="--rule", found=name, expected=expected)
    return [one for one in rules if not names or one.name in names]


def _restarter(command: str) -> Callable[[], None]:
    def restart() -> None:
        try:
            subprocess.run(shlex.split(command), check=True, timeout=_RESTART_S)
        except (OSError, ValueError, subprocess.SubprocessError) as error:
            raise UsageError(
                "usage.value", option="--restart", found=command, expected=f"a command: {error}"
            )

    return restart
