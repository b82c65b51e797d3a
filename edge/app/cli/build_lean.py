"""Forms that a joined program takes less memory in."""

import ast

from edge.app.cli.build_groups import GROUPS
from edge.app.cli.build_join import Joined, imported_once

#: The joined module that everything is in that stays.
RESIDENT = list(GROUPS)[-1]


def as_one(joined: dict[str, Joined]) -> dict[str, Joined]:
    """What stays in one module: one dictionary, one table of names, and no imports between."""
    body = [node for group in GROUPS if group in joined for node in joined[group].tree.body]
    overlays = {group: part for group, part in joined.items() if group not in GROUPS}
    return {RESIDENT: Joined(ast.Module(imported_once(body), []), []), **overlays}


def without_origins(tree: ast.Module) -> ast.Module:
    """Classes that do not keep where they are defined: two places in the dictionary of each."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            node.body.insert(0, ast.parse("del __module__, __qualname__").body[0])
    return ast.fix_missing_locations(tree)
