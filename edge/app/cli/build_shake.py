"""Leaves out of a device's modules what nothing in them names.

A function, method, class or constant stays when its name occurs anywhere in what stays, in any
role, texts included: too much stays rather than too little. Modules that nothing imports any more
go with it.
"""

import ast
import re

#: A definition that may go, and what it holds apart from definitions of its own.
_Definition = ast.FunctionDef | ast.ClassDef | ast.Assign | ast.AnnAssign

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

#: Calls in the value of a constant that do nothing but make it.
_MAKERS = ("namedtuple", "const", "frozenset", "tuple", "range", "len", "bytes", "min", "max")


def shake(sources: dict[str, str], entries: tuple[str, ...], main: str) -> dict[str, str]:
    """{module: source} of what is left, starting from the modules `entries`.

    main: the source of what is run, which stays as it is.
    """
    trees = {name: _stripped(ast.parse(text)) for name, text in sources.items()}
    used = _used_words(list(trees.values()), _words([ast.parse(main)]))
    for tree in trees.values():
        tree.body = [left for left in (_left(node, used) for node in tree.body) if left]
    reached = _reached(trees, entries)
    return {name: ast.unparse(trees[name]) or "pass" for name in sorted(reached)}


def _stripped(tree: ast.Module) -> ast.Module:
    """Without what is for type checkers and readers."""
    tree.body = [node for node in tree.body if not _is_for_types(node)]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            given = node.args
            for argument in [*given.posonlyargs, *given.args, *given.kwonlyargs]:
                argument.annotation = None
    return tree


def _is_for_types(node: ast.stmt) -> bool:
    if isinstance(node, ast.If):
        return ast.unparse(node.test) == "TYPE_CHECKING"
    return isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "TYPE_CHECKING"


def _names(node: ast.stmt) -> str | None:
    """The one name that a statement defines and does nothing else; None for any other."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return None if node.decorator_list and isinstance(node, ast.ClassDef) else node.name
    target: ast.expr | None = None
    if isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
    elif isinstance(node, ast.AnnAssign):
        target = node.target
    if not isinstance(target, ast.Name):
        return None
    value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
    calls = [item for item in ast.walk(node) if isinstance(item, ast.Call)]
    plain = all(isinstance(call.func, ast.Name) and call.func.id in _MAKERS for call in calls)
    return target.id if value is not None and plain else None


def _words(nodes: list[ast.AST]) -> set[str]:
    """Every name in some nodes, in whatever role; imports name nothing by themselves."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            continue
        if isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute):
            found.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            found.add(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update([node.value] if _WORD.match(node.value) else [])
        waiting += ast.iter_child_nodes(node)
    return found


def _used_words(trees: list[ast.Module], used: set[str]) -> set[str]:
    """`used` and the names that what stays names, up to where nothing is added any more."""
    waiting: list[tuple[str, ast.stmt]] = []
    for tree in trees:
        for node in tree.body:
            name = _names(node)
            if name is None:
                used |= _words([node])
            else:
                waiting.append((name, node))
    grows = True
    while grows:
        grows = False
        for name, node in list(waiting):
            if name in used or _is_special(name):
                waiting.remove((name, node))
                grows = True
                if isinstance(node, ast.ClassDef):
                    used |= _words([*node.bases, *_class_code(node)])
                    waiting += [(item.name, item) for item in _methods(node)]
                else:
                    used |= _words([node.value] if isinstance(node, ast.Assign) else [node])
    return used


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _methods(node: ast.ClassDef) -> list[ast.FunctionDef]:
    return [item for item in node.body if isinstance(item, ast.FunctionDef)]


def _class_code(node: ast.ClassDef) -> list[ast.stmt]:
    return [item for item in node.body if not isinstance(item, ast.FunctionDef)]


def _left(node: ast.stmt, used: set[str]) -> ast.stmt | None:
    """What is left of a statement of a module."""
    if isinstance(node, ast.ImportFrom):
        node.names = [alias for alias in node.names if (alias.asname or alias.name) in used]
        return node if node.names else None
    name = _names(node)
    if name is not None and name not in used and not _is_special(name):
        return None
    if isinstance(node, ast.ClassDef):
        node.body = [
            item
            for item in node.body
            if not isinstance(item, ast.FunctionDef) or item.name in used or _is_special(item.name)
        ] or [ast.Pass()]
    return node


def _reached(trees: dict[str, ast.Module], entries: tuple[str, ...]) -> set[str]:
    """The modules that are imported, packages included."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        name = waiting.pop()
        if name in found or name not in trees:
            continue
        found.add(name)
        waiting.append(name.rpartition(".")[0])
        for node in ast.walk(trees[name]):
            if isinstance(node, ast.Import):
                waiting += [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                waiting.append(node.module)
                waiting += [f"{node.module}.{alias.name}" for alias in node.names]
    return found
