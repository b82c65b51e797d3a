"""`carbontally profiles`: the device profiles that ship, and the tools to write another one."""

import json as json_module
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from edge.app.cli.profiles_files import Source, find, read_all
from edge.app.cli.profiles_lint import ERROR, lint_source
from edge.app.cli.profiles_new import write_skeleton
from edge.app.cli.profiles_show import describe, show_profile, wide_console
from edge.app.cli.profiles_vectors import run_vectors
from edge.core.errors import ProfileError, UsageError
from edge.core.schema import nearest

Emit = Callable[[dict[str, Any]], None]


def profiles(
    action: Annotated[str, typer.Argument(help="list, show, lint, test or new")],
    names: Annotated[
        list[str] | None,
        typer.Argument(help="profile names or files; for new: VENDOR MODEL", show_default=False),
    ] = None,
    kind: Annotated[
        str | None, typer.Option("--class", help="list: electricity, heat, gas, water, cems, ...")
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="list: only vendors and models that contain it")
    ] = None,
    out: Annotated[
        Path, typer.Option("--out", help="new: the directory for the file", show_default="here")
    ] = Path(),
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """List, show, check and test device profiles, or begin a new one."""
    wanted = list(names or ())
    if action == "list":
        _list(read_all(), kind, text, json)
    elif action == "show":
        _show(_some(wanted, "show"), json)
    elif action == "lint":
        _lint([find(name) for name in wanted] or read_all(with_sunspec=True), json)
    elif action == "test":
        _test([_fit(find(name)) for name in wanted] or read_all(with_sunspec=True), json)
    elif action == "new":
        _new(wanted, out, json)
    else:
        raise _no_action(action)
    return 0


def _no_action(action: str) -> UsageError:
    choices = ["list", "show", "lint", "test", "new"]
    expected = nearest(action, choices) or "one of " + ", ".join(choices)
    return UsageError("usage.value", option="ACTION", found=action, expected=expected)


def _some(names: list[str], action: str) -> list[Source]:
    if not names:
        expected = "a profile's name; carbontally profiles list has them"
        raise UsageError(
            "usage.value", option=f"{action} NAME", found="missing", expected=expected
        )
    return [_fit(find(name)) for name in names]


def _fit(source: Source) -> Source:
    """The profile where it keeps its schema; raises the first fault of one that does not."""
    if source.fault is not None:
        raise source.fault
    return source


def _list(sources: list[Source], kind: str | None, text: str | None, json: bool) -> None:
    rows = []
    for source in sources:
        document = source.document
        also = document.get("also", [])
        known = " ".join([document["id"], document["vendor"], document["model"], *also]).lower()
        if kind in (None, document["class"]) and (text or "").lower() in known:
            rows.append(document)
    if json:
        for document in rows:
            _print_json(
                {
                    "id": document["id"],
                    "vendor": document["vendor"],
                    "model": document["model"],
                    "class": document["class"],
                    "points": len(document["points"]),
                    "confidence": document["provenance"]["confidence"],
                }
            )
        return
    table = Table("profile", "device", "class", "points", "confidence", box=None)
    for document in rows:
        table.add_row(
            document["id"],
            f"{document['vendor']} {document['model']}",
            document["class"],
            str(len(document["points"])),
            document["provenance"]["confidence"],
        )
    wide_console().print(table)
    print(f"{len(rows)} of {len(sources)} profiles")


def _show(sources: list[Source], json: bool) -> None:
    for source in sources:
        if json:
            _print_json(describe(source))
        else:
            show_profile(wide_console(), source)


def _lint(sources: list[Source], json: bool) -> None:
    errors = warnings = 0
    for source in sources:
        for finding in lint_source(source):
            errors += finding.level == ERROR
            warnings += finding.level != ERROR
            if json:
                _print_json({"profile": source.name, **finding._asdict()})
            else:
                where = f"{source.name}.{finding.point}" if finding.point else source.name
                print(f"{finding.level}[{finding.rule}] {where}: {finding.text}")
    if not json:
        print(f"{len(sources)} profiles: {errors} errors, {warnings} warnings")
    if errors:
        raise ProfileError("config.profile", profile="lint", reason=f"{errors} errors, see above")


def _test(sources: list[Source], json: bool) -> None:
    total = 0
    failed = []
    for source in sources:
        results = run_vectors(source)
        total += len(results)
        wrong = [result for result in results if result.found != result.wanted]
        failed += wrong
        if json:
            _print_json({"profile": source.name, "vectors": len(results), "failed": len(wrong)})
        for result in wrong:
            if not json:
                print(f"{source.name}.{result.point}: {result.found}, not {result.wanted}")
    if not json:
        print(f"{len(sources)} profiles: {total} vectors, {len(failed)} failed")
    if failed:
        reason = f"{len(failed)} of {total} vectors decode to something else"
        raise ProfileError("config.profile", profile="test", reason=reason)


def _new(names: list[str], out: Path, json: bool) -> None:
    if len(names) != 2:
        found = " ".join(names) or "missing"
        raise UsageError("usage.value", option="new", found=found, expected="VENDOR MODEL")
    path = write_skeleton(names[0], names[1], out)
    if json:
        _print_json({"file": str(path)})
    else:
        print(f"{path}: fill it in, then carbontally profiles lint {path}")


def _print_json(row: dict[str, Any]) -> None:
    print(json_module.dumps(row, ensure_ascii=False))
