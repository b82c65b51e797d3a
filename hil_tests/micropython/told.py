"""What a device said as something failed, in the names of the sources.

A short name may be that of many things. In a traceback each function was called by the one before
it: what can't be, because no line there names it, is left out.
"""

import ast
import functools
import re
from pathlib import Path

from edge.app.cli.build_names import Meanings
from edge.app.cli.names import explain_line, read_meanings
from hil_tests.micropython.twins import ROOT

NAMES_MAX = 6
_FRAME = re.compile(r'  File "(\w+)", line \d+, in (\w+)')


def explained(map_file: Path, said: str) -> str:
    """Each line of it, with what the names in it stand for."""
    known = read_meanings(map_file)
    lines = said.splitlines()
    frames = [at for at, line in enumerate(lines) if _FRAME.match(line)]
    meant = dict(zip(frames, chain([_meant(lines[at], known) for at in frames]), strict=True))
    told = []
    for at, line in enumerate(lines):
        names = [meant[at]] if at in meant else explain_line(line, known).values()
        told.append(line + "".join(_few(found) for found in names if found))
    return "\n".join(told)


def _meant(line: str, known: Meanings) -> list[str]:
    return next(iter(explain_line(line, known).values()), [])


def _few(names: list[str]) -> str:
    few = names[:NAMES_MAX] + ["..."] * (len(names) > NAMES_MAX)
    return f"  [{' or '.join(few)}]"


def chain(frames: list[list[str]]) -> list[list[str]]:
    """Candidates of each frame, outermost first, without those that fit no neighbour."""
    found = [list(names) for names in frames]
    for _ in frames:
        for at in range(len(found) - 1):
            pairs = [
                (caller, called)
                for caller in found[at]
                for called in found[at + 1]
                if _names(called) & identifiers(caller)
            ]
            if pairs:
                found[at] = [name for name in found[at] if name in {one for one, _ in pairs}]
                found[at + 1] = [
                    name for name in found[at + 1] if name in {other for _, other in pairs}
                ]
    return found


def _names(function: str) -> set[str]:
    """How a caller may name it: a class by itself."""
    parts = function.split(".")
    return {parts[-2] if parts[-1] == "__init__" else parts[-1]}


@functools.cache
def identifiers(function: str) -> frozenset[str]:
    """The names in the source of what a dotted name stands for; none where it is not found."""
    parts = function.split(".")
    for count in range(len(parts) - 1, 0, -1):
        base = ROOT.joinpath(*parts[:count])
        for path in (base.with_suffix(".py"), base / "__init__.py"):
            if path.is_file():
                return frozenset(_inside(ast.parse(path.read_text()), parts[count:]))
    return frozenset()


def _inside(node: ast.AST, names: list[str]) -> set[str]:
    for name in names:
        node = next(
            (part for part in ast.iter_child_nodes(node) if getattr(part, "name", "") == name),
            ast.Pass(),
        )
    walked = list(ast.walk(node))
    return {part.id for part in walked if isinstance(part, ast.Name)} | {
        part.attr for part in walked if isinstance(part, ast.Attribute)
    }
