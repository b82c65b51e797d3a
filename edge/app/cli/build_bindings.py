"""Which names the statements of a module bind, and what the imported ones are."""

import ast
from typing import NamedTuple

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Own(NamedTuple):
    """What an imported name is: something in a module of ours, or that module; name: "" for it."""

    module: str
    name: str


Bindings = dict[str, Own | None]


def bindings_of(nodes: list[ast.stmt], known: set[str], module: str) -> Bindings:
    """{name: what it is} of a module's own statements; None for what comes from the firmware."""
    found: Bindings = {name: Own(module, name) for name in bound(nodes)}
    for node in nodes:
        found.update(imported(node, known))
    return found


def imported(node: ast.stmt, known: set[str]) -> Bindings:
    found: Bindings = {}
    if isinstance(node, ast.Import):
        for alias in node.names:
            whole = alias.name if alias.asname else alias.name.split(".")[0]
            name = alias.asname or whole
            found[name] = Own(whole, "") if alias.name.split(".")[0] == "edge" else None
    elif isinstance(node, ast.ImportFrom) and node.module:
        for alias in node.names:
            dotted = f"{node.module}.{alias.name}"
            own = Own(dotted, "") if dotted in known else Own(node.module, alias.name)
            is_ours = node.module.split(".")[0] == "edge"
            found[alias.asname or alias.name] = own if is_ours else None
    return found


def bound(nodes: list[ast.stmt]) -> list[str]:
    """Names that statements bind in their own scope, imports included, each once."""
    found: dict[str, None] = {}
    waiting: list[ast.AST] = list(reversed(nodes))
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = None
            waiting += node.decorator_list
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = None
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found[node.id] = None
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found[node.name] = None
        if isinstance(node, COMPREHENSIONS):
            inside = [item for item in ast.walk(node) if isinstance(item, ast.NamedExpr)]
            waiting += [item.target for item in inside]
        elif not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            waiting += reversed(list(ast.iter_child_nodes(node)))
    return list(found)
