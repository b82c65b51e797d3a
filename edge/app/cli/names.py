"""`carbontally names`: what a device says, with what the short names of its program stand for."""

import json as json_module
import re
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from edge.app.cli.build_names import ATTRIBUTES, Meanings
from edge.core.errors import ConfigError
from edge.ports.linux.files import read_bytes

_FRAME = re.compile(r'File "(\w+)", line \d+, in (\w+)')
_OBJECT = re.compile(r"'(\w+)' object has no attribute '(\w+)'")
_QUOTED = re.compile(r"'([A-Za-z_]\w*)'")


def names(
    map_file: Annotated[Path, typer.Argument(metavar="FILE", help="names.json of the build")],
    text: Annotated[
        Path | None, typer.Argument(metavar="TEXT", help="what it said; standard input without")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Print each line that a device said and, below it, what the names in it may be."""
    known = read_meanings(map_file)
    said = sys.stdin.read() if text is None else read_bytes(text).decode("utf-8", "replace")
    for line in said.splitlines():
        found = explain_line(line, known)
        if json:
            print(json_module.dumps({"line": line, "names": found}, ensure_ascii=False))
            continue
        print(line)
        for short, meant in found.items():
            print(f"        {short}: {' or '.join(meant)}")
    return 0


def read_meanings(path: Path) -> Meanings:
    """names.json; ConfigError "config.file" for a file that is none."""
    try:
        found: Any = json_module.loads(read_bytes(path))
        whole: Meanings = {
            str(group): {str(short): [str(one) for one in meant] for short, meant in given.items()}
            for group, given in found.items()
        }
        return {**whole, ATTRIBUTES: whole[ATTRIBUTES]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = "not the names.json that carbontally build esp32 makes"
        raise ConfigError("config.file", file=str(path), reason=reason) from error


def explain_line(line: str, known: Meanings) -> dict[str, list[str]]:
    """{name in a line: what it may be}: a function where it is called, else whatever has it."""
    frame = _FRAME.search(line)
    if frame:
        meant = known.get(frame[1], {}).get(frame[2])
        return {frame[2]: meant} if meant else {}
    lacking = _OBJECT.search(line)
    if lacking:
        classes = [one for one in _all(lacking[1], known) if one.rpartition(".")[2][0].isupper()]
        attributes = known[ATTRIBUTES].get(lacking[2], [])
        found = {lacking[1]: classes, lacking[2]: attributes}
        return {short: meant for short, meant in found.items() if meant}
    found = {}
    for short in _QUOTED.findall(line):
        meant = _all(short, known)
        if meant:
            found[short] = meant
    return found


def _all(short: str, known: Meanings) -> list[str]:
    return sorted({one for given in known.values() for one in given.get(short, [])})
