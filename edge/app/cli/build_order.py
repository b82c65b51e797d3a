"""Finds out whether a call is the first of a statement that does anything."""

import ast
from collections.abc import Callable, Iterator

IsStable = Callable[[ast.expr], bool]


def first_of(node: ast.stmt) -> ast.expr | None:
    """The expression of a statement that is evaluated first, and once."""
    if isinstance(node, ast.Expr | ast.Assign | ast.Return):
        return node.value
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return node.value
    if isinstance(node, ast.If):
        return node.test
    if isinstance(node, ast.For):
        return node.iter
    return node.exc if isinstance(node, ast.Raise) else None


def is_first(node: ast.expr, call: ast.expr, is_stable: IsStable) -> bool:
    """Whether all that is evaluated before a call gives the same after it."""
    for item in _evaluated(node, call):
        if item is call:
            return True
        if not is_stable(item):
            return False
    return False


def _evaluated(node: ast.expr, call: ast.expr) -> Iterator[ast.expr]:
    """What is evaluated for certain, in its order; each but the call after its parts."""
    for part in [] if node is call else _parts(node):
        yield from _evaluated(part, call)
    yield node


def _parts(node: ast.expr) -> list[ast.expr]:
    if isinstance(node, ast.BoolOp):
        return node.values[:1]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators[:1]]
    if isinstance(node, ast.IfExp):
        return [node.test]
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return [node.generators[0].iter]
    if isinstance(node, ast.Call):
        return [node.func, *node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, ast.BinOp):
        return [node.left, node.right]
    if isinstance(node, ast.UnaryOp):
        return [node.operand]
    if isinstance(node, ast.Tuple | ast.List):
        return list(node.elts)
    if isinstance(node, ast.Subscript):
        return [node.value, node.slice]
    return [node.value] if isinstance(node, ast.Attribute | ast.Starred) else []
