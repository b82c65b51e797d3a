"""Forms that a joined program takes less memory in."""

import ast
from collections import defaultdict

from edge.app.cli.build_groups import GROUPS
from edge.app.cli.build_join import Joined, imported_once, needed_of

#: The joined module that everything is in that stays.
RESIDENT = list(GROUPS)[-1]


def as_one(joined: dict[str, Joined]) -> dict[str, Joined]:
    """What stays in one module: one dictionary, one table of names, and no imports between."""
    body = [node for group in GROUPS if group in joined for node in joined[group].tree.body]
    overlays = {group: part for group, part in joined.items() if group not in GROUPS}
    return {RESIDENT: Joined(ast.Module(imported_once(body), []), []), **overlays}


def sink(joined: dict[str, Joined], kept: tuple[str, ...]) -> dict[str, Joined]:
    """Functions that one overlay alone names are in it: they have no state, so they may go."""
    stays = joined[RESIDENT].tree
    while True:
        users = _users(joined)
        sunk = [
            node
            for node in stays.body
            if isinstance(node, ast.FunctionDef)
            and node.name not in kept
            and len(users[node.name]) == 1
            and RESIDENT not in users[node.name]
            and not any(isinstance(item, ast.Global) for item in ast.walk(node))
        ]
        if not sunk:
            break
        for node in sunk:
            stays.body.remove(node)
            (group,) = users[node.name]
            joined[group].tree.body.insert(0, node)
    return {
        group: Joined(part.tree, [] if group == RESIDENT else _needed(group, part))
        for group, part in joined.items()
    }


def _users(joined: dict[str, Joined]) -> dict[str, set[str]]:
    """{name: the joined modules that name it}."""
    found: dict[str, set[str]] = defaultdict(set)
    for group, part in joined.items():
        for node in ast.walk(part.tree):
            if isinstance(node, ast.Name | ast.alias):
                found[node.id if isinstance(node, ast.Name) else node.name].add(group)
    return found


def _needed(group: str, part: Joined) -> list[str]:
    """What an overlay imports: not what it has itself."""
    own = {node.name for node in part.tree.body if isinstance(node, ast.FunctionDef)}
    return [name for name in needed_of(group, part.tree.body) if name not in own]


def without_origins(tree: ast.Module) -> ast.Module:
    """Classes that do not keep where they are defined: two places in the dictionary of each."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            node.body.insert(0, ast.parse("del __module__, __qualname__").body[0])
    return ast.fix_missing_locations(tree)
