"""The command `carbontally`: a table of verbs, each loaded only when it is asked for.

`run` parses its own options so that the runtime needs no CLI library. Every other verb is an
annotated function of the package that owns it and is run through typer.
"""

import importlib
import io
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from edge.core.errors import TallyError

#: verb -> (module:function, what it does)
VERBS = {
    "run": ("edge.app.service:main", "run the gateway: -c gateway.toml"),
    "status": ("edge.app.cli.status:status", "how a gateway is: what waits, room, losses"),
    "check": ("edge.app.cli.check:check", "what would keep a gateway from its work"),
    "plan": ("edge.app.cli.plan:plan", "what a configuration asks of each bus"),
    "profiles": ("edge.app.cli.profiles:profiles", "device profiles: list show lint test new"),
    "factors": ("edge.app.cli.factors:factors", "factor sets: list show check"),
    "buffer": ("edge.app.cli.buffer:buffer", "the journal: stats verify export thin --dry-run"),
    "receive": ("cloud_sync.cli:receive", "run the receiver"),
    "verify": ("cloud_sync.cli_audit:verify", "prove a store or an evidence file"),
    "evidence": ("cloud_sync.cli_audit:evidence", "write an evidence file for an auditor"),
    "recompute": ("cloud_sync.cli_recompute:recompute", "compute intervals again from raw polls"),
    "gaps": ("cloud_sync.cli_recompute:gaps", "how complete the cloud is, by device and day"),
    "compact": ("cloud_sync.cli_compact:compact", "polls of a PostgreSQL store into blocks"),
    "conformance": ("cloud_sync.conformance.cli:conformance", "play the contract at a receiver"),
    "serve": ("cloud_sync.api.cli_serve:serve", "a receiver's store over HTTP"),
    "quarantine": ("cloud_sync.cli_quarantine:quarantine", "what was refused: list show replay"),
    "keys": ("cloud_sync.cli_keys:keys", "which gateways may send: add list revoke remove"),
    "tokens": ("cloud_sync.api.cli_tokens:tokens", "who may read over HTTP: add list revoke"),
    "export": ("cloud_sync.export.cli:export", "a store's rows as Parquet, by day: --to DIR"),
    "report": ("cloud_sync.reports.cli:report", "a park's figures of a day, month or year"),
    "explain": ("edge.app.cli.explain:explain", "one carbon figure, from registers to rounding"),
    "scan": ("edge.app.cli.scan:scan", "find and name the stations on a bus; reads only"),
    "read": ("edge.app.cli.read:read", "one station by profile, or raw registers on trial"),
    "doctor": (
        "edge.app.cli.doctor:doctor",
        "what is wrong on a bus, or around a gateway, and what to do",
    ),
    "tap": ("edge.app.cli.tap:tap", "listen to a bus; save a trace the emulator plays"),
    "build": ("edge.app.cli.build:build", "the files of a device: build esp32 -b BOARD -c FILE"),
    "names": ("edge.app.cli.names:names", "what the short names in a device's program stand for"),
    "meter": ("edge.app.cli.meter:meter", "set a meter's station, baud or ratio, with undo"),
    "demo": ("hil_tests.demo.cli:demo", "the main job on this machine, end to end"),
    "soak": ("hil_tests.soak.cli:soak", "simulate gateways with every fault: --hours H"),
    "emulate": ("hil_tests.cli:emulate", "an RS-485 bus with emulated stations"),
    "hil": ("hil_tests.cli_hil:hil", "test a board that is attached: --port PORT"),
    "bench": ("hil_tests.bench.cli:bench", "measure: bench NAME"),
}

#: Package -> the extra that brings it, where it is not `demo`.
EXTRAS = {
    "typer": "cli",
    "rich": "cli",
    "paho": "cloud",
    "nats": "cloud",
    "fastapi": "api",
    "uvicorn": "api",
    "jinja2": "report",
    "duckdb": "export",
    "apsw": "test",
}

#: Verbs that take their arguments as they are and need none of the extras.
LEAN = ("run",)

INTERRUPTED = 130

#: What a shell says of a program that a closed pipe ended.
CLOSED = 141


def usage() -> str:
    """The list of verbs."""
    from edge import VERSION

    lines = [f"carbontally {VERSION}", "", "usage: carbontally VERB [OPTION...]", ""]
    lines += [f"  {verb:9} {text}" for verb, (_, text) in VERBS.items()]
    return "\n".join([*lines, "", "carbontally VERB --help lists a verb's options."])


def language() -> str:
    """ "zh" when the environment asks for Chinese, else "en"."""
    wanted = os.environ.get("CARBONTALLY_LANG") or os.environ.get("LC_ALL") or ""
    wanted = wanted or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "zh" if wanted.lower().startswith("zh") else "en"


def report(error: "TallyError", stream: "TextIO") -> None:
    """Print what happened and what to do next."""
    from edge.core.errors.table import describe

    what, following = describe(error, language())
    print(f"error[{error.code}]: {what}", file=stream)
    if following:
        print(f"{'下一步：' if language() == 'zh' else 'next: '}{following}", file=stream)


def refuse(error: "TallyError", arguments: list[str]) -> int:
    """Say what happened, to people and where it is asked for to programs; the exit status."""
    from edge.core.errors.table import describe, exit_status

    report(error, sys.stderr)
    status = exit_status(error.code)
    if "--json" in arguments:
        import json

        what, following = describe(error, language())
        told = {"event": "error", "code": error.code, "status": status, "text": what}
        told |= {"next": following, "fields": error.fields}
        print(json.dumps(told, default=str), flush=True)
    return status


def dispatch(verb: str, argv: list[str]) -> int:
    """Load and run one verb; return its exit status."""
    from edge.core.errors import UsageError
    from edge.core.schema import nearest

    if verb not in VERBS:
        guess = nearest(verb, list(VERBS)) or "help"
        raise UsageError("usage.unknown_verb", verb=verb, nearest=guess)
    try:
        return _run(verb, argv)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("edge", "cloud_sync", "hil_tests", "boards"):
            raise
        extra = EXTRAS.get(str(error.name), "demo")
        raise UsageError("usage.missing_extra", package=error.name, extra=extra) from error


def _run(verb: str, argv: list[str]) -> int:
    module, _, name = VERBS[verb][0].partition(":")
    function = getattr(importlib.import_module(module), name)
    if verb in LEAN:
        return int(function(argv))
    import typer

    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(name=verb)(function)
    try:
        result = app(argv, prog_name=f"carbontally {verb}", standalone_mode=False)
    except Exception as error:
        # The option library's own errors say themselves what they are; anything else is not its.
        if not hasattr(error, "format_message"):
            raise
        raise _refusal(error) from error
    return int(result or 0)


def _refusal(error: "Any") -> "TallyError":
    """What the option library refuses, as an error of ours."""
    from edge.core.errors import UsageError

    param = getattr(error, "param", None)
    if param is None or not type(error).__name__.startswith("Missing"):
        return UsageError("usage.options", reason=error.format_message())
    name = param.opts[0]
    option = name if name.startswith("-") else name.upper()
    return UsageError("usage.missing", option=option, what=getattr(param, "help", None) or name)


def _write_failed(error: OSError, arguments: list[str]) -> int:
    from edge.app.output import let_go, output_error
    from edge.core.errors.table import exit_status

    said = output_error(error)
    if said is None:
        raise error
    if said.code == "usage.output":
        let_go()
        report(said, sys.stderr)
        return exit_status(said.code)
    return refuse(said, arguments)


def _answer(arguments: list[str]) -> int:
    from edge.core.errors import TallyError

    try:
        return dispatch(arguments[0], arguments[1:])
    except TallyError as error:
        return refuse(error, arguments)


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit status of the error table."""
    arguments = sys.argv[1:] if argv is None else argv
    if isinstance(sys.stdout, io.TextIOWrapper):
        # What a terminal's character set lacks is shown by its number.
        sys.stdout.reconfigure(errors="backslashreplace")
    if not arguments or arguments[0] in ("help", "-h", "--help"):
        print(usage())
        return 0 if arguments else 2
    if arguments[0] in ("--version", "version"):
        print(usage().split("\n")[0])
        return 0
    try:
        return _answer(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        from edge.app.output import let_go

        let_go()  # as `head` leaves, wanting no more
        return CLOSED
    except OSError as error:
        return _write_failed(error, arguments)


if __name__ == "__main__":
    sys.exit(main())
