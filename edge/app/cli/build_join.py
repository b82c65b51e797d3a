"""Joins the modules of a device's program: each name is stored once, and nothing imports twice.

The other way round than the arrows nothing may be needed: `app` imports what it needs of `core`
by name, an overlay what it needs of both. Where a function imports of an overlay, it is loaded and
dropped: it lives as long as what was imported is held.
"""

import ast
from typing import NamedTuple

from edge.app.cli.build_bindings import Bindings, bindings_of
from edge.app.cli.build_groups import GROUPS, OVERLAYS, group_of, may_need
from edge.app.cli.build_scopes import qualify
from edge.core.errors import ConfigError


class Joined(NamedTuple):
    """tree: of a joined module, its names as `qualify` spells them, without imports of ours.

    needed: the names that it needs of others, which it imports as it is loaded.
    """

    tree: ast.Module
    needed: list[str]


def join(sources: dict[str, str], entries: tuple[str, ...]) -> dict[str, Joined]:
    """{joined module: what it is made of}. Raises ConfigError where modules can't be joined."""
    trees = {name: _plain(ast.parse(text)) for name, text in sources.items()}
    known = set(trees)
    bindings: dict[str, Bindings] = {
        name: bindings_of(tree.body, known, name) for name, tree in trees.items()
    }
    bodies: dict[str, list[ast.stmt]] = {group: [] for group in (*GROUPS, *OVERLAYS)}
    for name in _in_order(trees, entries):
        qualify(trees[name], name, bindings)
        bodies[group_of(name)] += trees[name].body
    return {
        group: Joined(ast.Module(imported_once(body), []), needed_of(group, body))
        for group, body in bodies.items()
        if body
    }


class _Plain(ast.NodeTransformer):
    """Leaves out what only readers and type checkers need."""

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.stmt:
        if node.value is None:
            return ast.Pass()
        return ast.Assign([node.target], node.value, lineno=node.lineno)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return ast.Pass() if isinstance(node.value, ast.Constant) else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        node.returns = None
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        """Without methods that a subclass has to have: what they raise is for its author."""
        self.generic_visit(node)
        node.body = [item for item in node.body if not _is_owed(item)] or [ast.Pass()]
        return node


def _is_owed(node: ast.stmt) -> bool:
    if not isinstance(node, ast.FunctionDef):
        return isinstance(node, ast.Pass)
    code = [item for item in node.body if not isinstance(item, ast.Pass)]
    return [ast.unparse(item) for item in code] == ["raise NotImplementedError"]


def _plain(tree: ast.Module) -> ast.Module:
    tree = _Plain().visit(tree)
    tree.body = [node for node in tree.body if not isinstance(node, ast.Pass)]
    return tree


def _in_order(trees: dict[str, ast.Module], entries: tuple[str, ...]) -> list[str]:
    """All modules, each after those that its own statements import."""
    found: list[str] = []
    begun: set[str] = set()

    def add(name: str) -> None:
        if name in begun or name not in trees:
            return
        begun.add(name)
        add(name.rpartition(".")[0])
        for node in trees[name].body:
            for imported in _imports(node):
                add(imported)
        found.append(name)

    for name in [*entries, *sorted(trees)]:
        add(name)
    return found


def _imports(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        return [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
    return []


def imported_once(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements with the imports from the firmware first, one of each name."""
    imports: dict[str, ast.stmt] = {}
    rest: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                imports[alias.asname or alias.name] = ast.Import([alias])
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = alias.asname or alias.name
                imports[name] = ast.ImportFrom(node.module, [alias], 0)
        else:
            rest.append(node)
    return [*imports.values(), *rest]


def needed_of(group: str, body: list[ast.stmt]) -> list[str]:
    """Names of other joined modules, sorted; ConfigError for one that it may not import."""
    named = [
        node
        for statement in body
        for node in ast.walk(statement)
        if isinstance(node, ast.Name)
        and ":" in node.id
        and not node.id.startswith(("arg:", "attr:"))
        and group_of(node.id) != group
    ]
    for node in named:
        other = group_of(node.id)
        if not may_need(group, other):
            reason = f"{group} may not need it"
            if other in OVERLAYS:
                reason += f": it is in the overlay {other}, which only functions import by name"
            raise ConfigError("config.file", file=node.id, reason=reason)
        if group in OVERLAYS and not isinstance(node.ctx, ast.Load):
            reason = f"{group} may not set it: it is in {other}"
            raise ConfigError("config.file", file=node.id, reason=reason)
    return sorted({node.id for node in named})


def lent(joined: dict[str, Joined]) -> list[str]:
    """What functions import of overlays; ConfigError for what is no function and no class."""
    found: set[str] = set()
    defined: set[str] = set()
    for part in joined.values():
        defined.update(
            node.name
            for node in part.tree.body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        )
        for node in ast.walk(part.tree):
            if isinstance(node, ast.ImportFrom) and node.module in OVERLAYS:
                found.update(alias.name for alias in node.names)
    for name in found - defined:
        reason = "an overlay gives functions and classes, no values"
        raise ConfigError("config.file", file=name, reason=reason)
    return sorted(found)
