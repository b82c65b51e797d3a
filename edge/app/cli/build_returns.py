"""Makes of a function's statements some that may stand in another one."""

import ast
import copy
from collections.abc import Callable

#: What is done with a value that is returned.
Emit = Callable[[ast.expr], list[ast.stmt]]

_LOOPS = (ast.For, ast.While)


class CannotBePlacedError(Exception):
    """Statements can't stand where their function is called."""


def placed(body: list[ast.stmt], emit: Emit) -> list[ast.stmt]:
    """The statements, each `return` in them replaced; nothing is done after one of them."""
    made: list[ast.stmt] = []
    rest = list(body)
    while rest:
        node = rest.pop(0)
        if isinstance(node, ast.Return):
            return made + emit(node.value or ast.Constant(None))
        if isinstance(node, ast.Raise):
            return [*made, node]
        if _returns(node):
            return made + _branched(node, rest, emit)
        made.append(node)
    return made + emit(ast.Constant(None))


def _branched(node: ast.stmt, rest: list[ast.stmt], emit: Emit) -> list[ast.stmt]:
    """A statement with returns in it, and what comes after it where it does not return."""
    if isinstance(node, ast.If):
        if rest and not _ends(node.body) and not _ends(node.orelse):
            raise CannotBePlacedError
        then = node.body if _ends(node.body) else node.body + rest
        other = node.orelse if node.orelse and _ends(node.orelse) else node.orelse + rest
        return [ast.If(node.test, _some(placed(then, emit)), placed(other, emit))]
    if isinstance(node, ast.Try):
        return [_tried(node, rest, emit)]
    if isinstance(node, ast.For) and not node.orelse and not _breaks(node.body):
        node.body = _some(_broken_off(node.body, emit))
        node.orelse = placed(rest, emit)
        return [node]
    raise CannotBePlacedError


def _tried(node: ast.Try, rest: list[ast.stmt], emit: Emit) -> ast.stmt:
    """What raises is in it as it was: what comes after is not."""
    goes_on = not _ends(node.body)
    if node.finalbody or node.orelse or any(map(_returns, node.body)) and (goes_on or rest):
        raise CannotBePlacedError
    for handler in node.handlers:
        if rest and not _ends(handler.body):
            raise CannotBePlacedError
        handler.body = _some(placed(handler.body, emit))
    if goes_on:
        node.orelse = placed(rest, emit)
    else:
        node.body = _some(placed(node.body, emit))
    return node


def _broken_off(body: list[ast.stmt], emit: Emit) -> list[ast.stmt]:
    """The body of a loop that is left where it returned."""
    made: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.Return):
            return [*made, *emit(node.value or ast.Constant(None)), ast.Break()]
        if _returns(node):
            if not isinstance(node, ast.If):
                raise CannotBePlacedError
            node.body = _some(_broken_off(node.body, emit))
            node.orelse = _broken_off(node.orelse, emit)
        made.append(node)
    return made


def _returns(node: ast.stmt) -> bool:
    return any(isinstance(item, ast.Return) for item in ast.walk(node))


def _ends(body: list[ast.stmt]) -> bool:
    """Whether nothing goes on behind it."""
    last = body[-1] if body else None
    if isinstance(last, ast.If):
        return _ends(last.body) and _ends(last.orelse)
    if isinstance(last, ast.Try) and not last.orelse and not last.finalbody:
        return _ends(last.body) and all(_ends(handler.body) for handler in last.handlers)
    return isinstance(last, ast.Return | ast.Raise)


def _breaks(body: list[ast.stmt]) -> bool:
    """Whether a loop of this body is broken off by itself."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break):
            return True
        if not isinstance(node, _LOOPS):
            waiting += ast.iter_child_nodes(node)
    return False


def _some(body: list[ast.stmt]) -> list[ast.stmt]:
    return body or [ast.Pass()]


def assigning(target: ast.expr) -> Emit:
    """A return sets something."""
    return lambda value: [ast.Assign([copy.deepcopy(target)], value, lineno=0)]


def forgetting(value: ast.expr) -> list[ast.stmt]:
    """A return does what its value does."""
    return [] if isinstance(value, ast.Constant | ast.Name) else [ast.Expr(value)]


def returning(value: ast.expr) -> list[ast.stmt]:
    """A return stays one."""
    return [ast.Return(value)]
