"""Puts functions that are called at one place there: each takes an object and a place by name.

Only where it does the same: see `_Caller`. What a function held is let go where it returned.
"""

import ast
import copy
from collections.abc import Iterator
from itertools import count

from edge.app.cli.build_callees import Callee, Names, callees_of
from edge.app.cli.build_join import Joined, needed_of
from edge.app.cli.build_names import Meanings
from edge.app.cli.build_order import first_of, is_first
from edge.app.cli.build_returns import (
    CannotBePlacedError,
    assigning,
    forgetting,
    placed,
    returning,
)

#: {function: those that stand in it}
Placed = dict[str, list[str]]


def inline(joined: dict[str, Joined], kept: tuple[str, ...]) -> tuple[dict[str, Joined], Placed]:
    """The same program with fewer functions; a function stays in its joined module."""
    told: Placed = {}
    names = Names([part.tree for part in joined.values()])
    for part in joined.values():
        _inline_in(part.tree, names, callees_of(part.tree, names, set(kept)), told)
    made = {
        group: Joined(part.tree, needed_of(group, part.tree.body) if part.needed else [])
        for group, part in joined.items()
    }
    return made, told


def tell_inside(told: Meanings, inside: Placed) -> Meanings:
    """What names stand for, with the functions that stand in those which have them."""
    wholes = {name.replace(":", "."): found for name, found in inside.items()}
    for meant in (meant for names in told.values() for meant in names.values()):
        found = [name for whole in meant for name in wholes.get(whole, [])]
        meant += [name.replace(":", ".") for name in found]
    return told


def _inline_in(tree: ast.Module, names: Names, callees: dict[str, Callee], told: Placed) -> None:
    """Place first what calls nothing that could be placed; each has one place, and one chance."""
    callers = _callers(tree)
    called = {id(one.node): {_key(item) for item in ast.walk(one.node)} for one in callers}
    while callees:
        leaves = {
            key: one for key, one in callees.items() if not called[id(one.node)] & set(callees)
        }
        if not leaves:
            return
        for caller in callers:
            asked = {key: leaves[key] for key in called[id(caller.node)] & set(leaves)}
            for callee in _Caller(caller.node, names).place(asked) if asked else []:
                callee.leave()
                inside = told.pop(callee.spelling, [])
                told.setdefault(caller.spelling, []).extend([callee.spelling, *inside])
        callees = {key: one for key, one in callees.items() if key not in leaves}


def _callers(tree: ast.Module) -> list[Callee]:
    found: list[Callee] = []
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            found.append(Callee(node, None, tree.body))
        elif isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            found += [Callee(item, node, node.body) for item in methods]
    return found


def _key(call: ast.AST) -> str:
    """What `callees_of` calls the function of a call by."""
    if not isinstance(call, ast.Call):
        return ""
    func = call.func
    if isinstance(func, ast.Attribute):
        return "." + func.attr
    return func.id if isinstance(func, ast.Name) else ""


class _Caller:
    """A function, and what is called in it at a place where only a statement's beginning is.

    What is evaluated before the call has to be the same after it: names of the function's own,
    which nothing else sets, and methods.
    """

    def __init__(self, node: ast.FunctionDef, names: Names) -> None:
        self._node = node
        self._names = names
        self._found: list[Callee] = []
        self._callees: dict[str, Callee] = {}

    def place(self, callees: dict[str, Callee]) -> list[Callee]:
        """Those that were placed."""
        self._callees = {key: one for key, one in callees.items() if one.node is not self._node}
        if any(isinstance(item, ast.Nonlocal) for item in ast.walk(self._node)):
            return []
        self._node.body = self._block(self._node.body)
        return self._found

    def _block(self, body: list[ast.stmt]) -> list[ast.stmt]:
        made: list[ast.stmt] = []
        for node in body:
            made += self._statement(node)
        return made

    def _statement(self, node: ast.stmt) -> list[ast.stmt]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return [node]
        for field in ("body", "orelse", "finalbody"):
            inner = getattr(node, field, None)
            if inner:
                setattr(node, field, self._block(inner))
        for handler in getattr(node, "handlers", []):
            handler.body = self._block(handler.body)
        whole = first_of(node)
        for call in ast.walk(whole) if whole else []:
            callee = self._callees.get(_key(call))
            if not whole or not callee or not isinstance(call, ast.Call):
                continue
            if is_first(whole, call, self._is_stable):
                try:
                    made = self._placed(node, whole, call, callee)
                except CannotBePlacedError:
                    continue
                for item in (item for statement in made for item in ast.walk(statement)):
                    item.is_placed = True  # type: ignore[attr-defined]
                self._found.append(callee)
                del self._callees[_key(call)]
                return made
        return [node]

    def _is_stable(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Attribute):
            return self._names.is_method(node.attr)
        return isinstance(node, ast.Constant) or self._names.is_set_once(node)

    def _placed(
        self, node: ast.stmt, whole: ast.expr, call: ast.Call, callee: Callee
    ) -> list[ast.stmt]:
        fresh = _fresh(self._node, node)
        given, bound = self._given(call, callee)
        function = copy.deepcopy(callee.node)
        names = {name: next(fresh) for name in [*bound, *_locals(function)]}
        _Spelled(names, given).visit(function)
        first = [_set(names[name], value) for name, value in bound.items()]
        last = [_set(name, ast.Constant(None)) for name in names.values()]
        body = function.body
        if isinstance(node, ast.Return) and whole is call:
            return [*first, *placed_as_is(body)]
        if isinstance(node, ast.Expr) and whole is call:
            return [*first, *placed(body, forgetting), *last]
        if isinstance(node, ast.Assign) and whole is call and _is_name(node.targets):
            return [*first, *placed(body, assigning(node.targets[0])), *last]
        result = next(fresh)
        made = placed(body, assigning(ast.Name(result, ast.Store())))
        _Replaced(call, ast.Name(result, ast.Load())).visit(node)
        after = [] if isinstance(node, ast.Return | ast.Raise) else [_set(result)]
        return [*first, *made, *last, node, *after]

    def _given(
        self, call: ast.Call, callee: Callee
    ) -> tuple[dict[str, ast.expr], dict[str, ast.expr]]:
        """{argument: what may stand for it}, {argument: what it is set to}."""
        values = values_of(call, callee)
        stored = {
            item.id
            for item in ast.walk(callee.node)
            if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load)
        }
        may_stand: dict[str, ast.expr] = {
            name: value
            for name, value in values.items()
            if isinstance(value, ast.Name | ast.Constant)
            and self._is_stable(value)
            and name not in stored
        }
        return may_stand, {name: value for name, value in values.items() if name not in may_stand}


def placed_as_is(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that end their function as they ended their own."""
    return (
        [*body, *returning(ast.Constant(None))] if not isinstance(body[-1], ast.Return) else body
    )


def _is_name(targets: list[ast.expr]) -> bool:
    return len(targets) == 1 and isinstance(targets[0], ast.Name)


def _set(name: str, value: ast.expr | None = None) -> ast.stmt:
    return ast.Assign([ast.Name(name, ast.Store())], value or ast.Constant(None), lineno=0)


def _fresh(caller: ast.FunctionDef, node: ast.stmt) -> Iterator[str]:
    """Names for what is placed: those of what stands in other statements serve again."""
    taken = {item.id for item in ast.walk(node) if isinstance(item, ast.Name)}
    if getattr(node, "is_placed", False):
        taken |= {item.id for item in ast.walk(caller) if isinstance(item, ast.Name)}
    return (f"{at}__" for at in map("placed{}".format, count()) if f"{at}__" not in taken)


def values_of(call: ast.Call, callee: Callee) -> dict[str, ast.expr]:
    """{argument: what it is given}, in the order of the call."""
    node = callee.node
    places = [argument.arg for argument in node.args.args]
    values: dict[str, ast.expr] = {}
    if callee.owner is not None:
        assert isinstance(call.func, ast.Attribute)
        values[places.pop(0)] = call.func.value
    if any(isinstance(item, ast.Starred) for item in call.args) or len(call.args) > len(places):
        raise CannotBePlacedError
    values.update(zip(places, call.args, strict=False))
    words = {name.rpartition(":")[2]: name for name in places}
    words.update({item.arg.rpartition(":")[2]: item.arg for item in node.args.kwonlyargs})
    for keyword in call.keywords:
        if keyword.arg not in words:
            raise CannotBePlacedError
        values[words[keyword.arg]] = keyword.value
    for name, value in _defaults(node).items():
        values.setdefault(name, value)
    if set(values) != {item.arg for item in [*node.args.args, *node.args.kwonlyargs]}:
        raise CannotBePlacedError
    return values


def _defaults(node: ast.FunctionDef) -> dict[str, ast.expr]:
    """Defaults that are constants; others were evaluated once."""
    given = node.args
    last = given.args[len(given.args) - len(given.defaults) :]
    pairs = [*zip(last, given.defaults, strict=True)]
    pairs += [
        (one, value)
        for one, value in zip(given.kwonlyargs, given.kw_defaults, strict=True)
        if value
    ]
    return {one.arg: value for one, value in pairs if isinstance(value, ast.Constant)}


def _locals(node: ast.FunctionDef) -> list[str]:
    found: dict[str, None] = {}
    for item in (item for statement in node.body for item in ast.walk(statement)):
        name = item.name if isinstance(item, ast.ExceptHandler) else None
        if isinstance(item, ast.Name) and not isinstance(item.ctx, ast.Load):
            name = item.id
        if name and name.endswith("__"):
            found[name] = None
    return list(found)


class _Spelled(ast.NodeTransformer):
    """Gives a function's names other ones, or what stands for them."""

    def __init__(self, names: dict[str, str], given: dict[str, ast.expr]) -> None:
        self._names = names
        self._given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._given:
            return copy.deepcopy(self._given[node.id])
        node.id = self._names.get(node.id, node.id)
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = self._names.get(node.name or "", node.name)
        return self.generic_visit(node)


class _Replaced(ast.NodeTransformer):
    def __init__(self, call: ast.Call, value: ast.expr) -> None:
        self._call = call
        self._value = value

    def visit(self, node: ast.AST) -> ast.AST:
        return self._value if node is self._call else super().visit(node)
