"""Puts constants where they are named: what is left of them is a value, not a name on the device.

Only what is set once, by a module or in a class that nothing else is set on by that name. A value
that MicroPython makes an object of for each mention goes where it is mentioned once.
"""

import ast
import operator
from collections import Counter
from typing import Any

from edge.app.cli.build_join import Joined, needed_of

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
    ast.LShift: operator.lshift,
    ast.RShift: operator.rshift,
    ast.BitOr: operator.or_,
    ast.BitAnd: operator.and_,
}

#: Integers that take no object on a board, and texts that are kept once however often they occur.
_SMALL = 1 << 30
_SHORT_CHARS = 10


def fold(joined: dict[str, Joined]) -> dict[str, Joined]:
    """The same program without the constants that are put where they are named."""
    trees = [part.tree for part in joined.values()]
    values = _values(trees)
    loads = _counts(trees, ast.Load)
    for name in [name for name, value in values.items() if not _is_free(value)]:
        if loads[name] > 1:
            del values[name]
    for tree in trees:
        _Folder(values).visit(tree)
    for tree in trees:
        tree.body = _left(tree, values, _counts(trees, ast.Load), _words(trees))
    return {
        group: Joined(part.tree, needed_of(group, part.tree.body))
        for group, part in joined.items()
    }


def _values(trees: list[ast.Module]) -> dict[str, Any]:
    """{name: value} of constants, "class.NAME" where a class has them."""
    stores = _counts(trees, ast.Store)
    found: dict[str, Any] = {}
    for node in (node for tree in trees for node in tree.body):
        if isinstance(node, ast.ClassDef):
            for name, value in _constants(node.body, found):
                if stores["." + name.removeprefix("attr:")] == 0:
                    found[f"{node.name}.{name.removeprefix('attr:')}"] = value
        else:
            found.update(
                (name, value) for name, value in _constants([node], found) if stores[name] == 1
            )
    return found


def _constants(nodes: list[ast.stmt], known: dict[str, Any]) -> list[tuple[str, Any]]:
    """Constants in the order they are set; each may be made of those before it."""
    found: list[tuple[str, Any]] = []
    for node in nodes:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        if isinstance(node, ast.Assign) and isinstance(target, ast.Name) and ":" in target.id:
            value, is_known = _value(node.value, {**known, **dict(found)})
            if is_known and len(node.targets) == 1:
                found.append((target.id, value))
    return found


def _value(node: ast.expr, known: dict[str, Any]) -> tuple[Any, bool]:
    """What an expression is, and whether it is a constant."""
    if isinstance(node, ast.Constant):
        return node.value, True
    name = _dotted(node)
    if name in known:
        return known[name], True
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner, is_known = _value(node.operand, known)
        return (-inner, True) if is_known and type(inner) is int else (None, False)
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        left, right = _value(node.left, known), _value(node.right, known)
        if type(left[0]) is int and type(right[0]) is int:
            return _OPERATORS[type(node.op)](left[0], right[0]), True
    return None, False


def _dotted(node: ast.AST) -> str:
    """ "module:name", or "module:class.NAME"; "" for anything else."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        return f"{node.value.id}.{node.attr}"
    return ""


def _is_free(value: Any) -> bool:
    """Whether mentioning a value again costs nothing but the mention."""
    if isinstance(value, int):
        return -_SMALL <= value < _SMALL
    return value is None or isinstance(value, str) and len(value) <= _SHORT_CHARS


def _counts(trees: list[ast.Module], context: type[ast.expr_context]) -> Counter[str]:
    """How often names are read or set, ".NAME" for attributes of whatever object."""
    found: Counter[str] = Counter()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, context):
            found[_dotted(node)] += 1
            if isinstance(node, ast.Attribute):
                found["." + node.attr] += 1
    return found


def _words(trees: list[ast.Module]) -> set[str]:
    """Texts, which may be names of attributes."""
    nodes = (node for tree in trees for node in ast.walk(tree))
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


class _Folder(ast.NodeTransformer):
    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def visit(self, node: ast.AST) -> Any:
        name = _dotted(node)
        if name in self._values and isinstance(getattr(node, "ctx", None), ast.Load):
            return ast.Constant(self._values[name])
        return super().visit(node)


def _left(
    tree: ast.Module, values: dict[str, Any], loads: Counter[str], words: set[str]
) -> list[ast.stmt]:
    """A module's statements without constants that nothing reads any more."""
    left: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            kept = [
                item for item in node.body if not _is_spent(item, node.name, values, loads, words)
            ]
            node.body = kept or [ast.Pass()]
            is_empty = not node.bases and all(isinstance(item, ast.Pass) for item in node.body)
            left += [] if is_empty and not loads[node.name] else [node]
        elif not _is_spent(node, "", values, loads, words):
            left.append(node)
    return left


def _is_spent(
    node: ast.stmt, owner: str, values: dict[str, Any], loads: Counter[str], words: set[str]
) -> bool:
    target = node.targets[0] if isinstance(node, ast.Assign) else None
    if not isinstance(target, ast.Name):
        return False
    word = target.id.removeprefix("attr:")
    name = f"{owner}.{word}" if owner else target.id
    is_read = loads["." + word] or word in words or loads[target.id] if owner else loads[name]
    return name in values and not is_read
