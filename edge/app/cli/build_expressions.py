"""Puts functions that are one expression where they are called, wherever that is.

Properties as well. What an argument is has to be the same wherever it stands: a name, a constant,
or what the expression begins with and says once. Others get all arguments by place: defaults
take an object.
"""

import ast
import copy
from collections.abc import Iterator

from edge.app.cli.build_callees import Callee, Names
from edge.app.cli.build_inline import values_of
from edge.app.cli.build_join import Joined, needed_of
from edge.app.cli.build_lean import RESIDENT
from edge.app.cli.build_order import is_first
from edge.app.cli.build_returns import CannotBePlacedError

_REFUSED = (
    *(ast.Lambda, ast.Yield, ast.YieldFrom, ast.NamedExpr, ast.ListComp, ast.SetComp),
    *(ast.DictComp, ast.GeneratorExp),
)
#: A call, or an attribute that is a property.
Site = ast.Call | ast.Attribute


def express(joined: dict[str, Joined], kept: tuple[str, ...]) -> dict[str, Joined]:
    """The same program with fewer functions, and with fewer objects for those that are left."""
    trees = [part.tree for part in joined.values()]
    tree = joined[RESIDENT].tree
    while _express_once(tree, trees, set(kept)):
        pass
    _without_defaults(tree, trees, set(kept))
    for group, part in joined.items():
        needed = [] if group == RESIDENT else needed_of(group, part.tree.body)
        joined[group] = Joined(part.tree, needed)
    return joined


def _express_once(tree: ast.Module, trees: list[ast.Module], kept: set[str]) -> bool:
    """Place those that say none which could be placed themselves; whether there was one."""
    names = Names(trees)
    found = {key: one for key, one in _known(tree, names, kept) if _is_expression(one.node)}
    sites = {
        key: given
        for key, given in _sites(trees, found, names).items()
        if given and all(_given(site, found[key], names) is not None for site in given)
    }
    placed: dict[int, Callee] = {}
    for key, given in sites.items():
        if not {_key(node) for node in ast.walk(_value(found[key]))} & set(sites):
            placed.update({id(site): found[key] for site in given})
            found[key].leave()
    for whole in trees if placed else []:
        _Expressed(placed, names).visit(whole)
    return bool(placed)


def _known(tree: ast.Module, names: Names, kept: set[str]) -> Iterator[tuple[str, Callee]]:
    """Functions and methods that are known by their name alone."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name not in kept:
            yield node.name, Callee(node, None, tree.body)
        elif isinstance(node, ast.ClassDef):
            methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
            for item in methods:
                word = item.name.removeprefix("attr:")
                if not word.startswith("__") and names.is_method(word) and item.args.args:
                    yield "." + word, Callee(item, node, node.body)


def _is_expression(node: ast.FunctionDef) -> bool:
    only = node.body[0] if len(node.body) == 1 else None
    if not isinstance(only, ast.Return) or only.value is None or not _is_plain(node):
        return False
    return not any(
        isinstance(item, _REFUSED) or isinstance(item, ast.Name) and item.id == "super"
        for item in ast.walk(only)
    )


def _is_plain(node: ast.FunctionDef) -> bool:
    """Without decorators but `property`, and with arguments that are all named."""
    if any(ast.unparse(item) != "property" for item in node.decorator_list):
        return False
    return not (node.args.vararg or node.args.kwarg or node.args.posonlyargs)


def _value(callee: Callee) -> ast.expr:
    only = callee.node.body[0]
    assert isinstance(only, ast.Return) and only.value is not None
    return only.value


def _key(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return "." + node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _sites(
    trees: list[ast.Module], found: dict[str, Callee], names: Names
) -> dict[str, list[Site]]:
    """Where each is called; nowhere, if it is named for anything else."""
    sites: dict[str, list[Site]] = {key: [] for key in found}
    for node in (node for tree in trees for node in ast.walk(tree)):
        key = _key(node.func if isinstance(node, ast.Call) else node)
        if key not in found or not isinstance(node, ast.Call | ast.Attribute):
            continue
        if isinstance(node, ast.Attribute) == bool(found[key].node.decorator_list):
            sites[key].append(node)
    uses = {
        key: names.words[key[1:]] if key.startswith(".") else names.globals[key] for key in found
    }
    return {key: given if len(given) == uses[key] else [] for key, given in sites.items()}


def _given(site: Site, callee: Callee, names: Names) -> dict[str, ast.expr] | None:
    """{argument: what stands for it}; None if that might be something else there."""
    try:
        if isinstance(site, ast.Attribute):
            values = {callee.node.args.args[0].arg: site.value}
        else:
            values = values_of(site, callee)
    except CannotBePlacedError:
        return None
    whole = _value(callee)
    said = [item for item in ast.walk(whole) if isinstance(item, ast.Name)]
    doing = {name: value for name, value in values.items() if _does(value, names)}
    if not any(isinstance(item, ast.Call) for item in ast.walk(whole)):
        doing = {} if all(map(names.is_read, doing.values())) else doing
    for name in doing:
        places = [item for item in said if item.id == name]
        if len(places) != 1 or not is_first(whole, places[0], lambda _: False):
            return None
    return values


class _Expressed(ast.NodeTransformer):
    def __init__(self, placed: dict[int, Callee], names: Names) -> None:
        self._placed = placed
        self._names = names

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        callee = self._placed.get(id(node))
        if callee is None or not isinstance(node, ast.Call | ast.Attribute):
            return node
        given = _given(node, callee, self._names)
        assert given is not None
        made: ast.expr = _Given(given).visit(copy.deepcopy(_value(callee)))
        return made


class _Given(ast.NodeTransformer):
    def __init__(self, given: dict[str, ast.expr]) -> None:
        self._given = given

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return copy.deepcopy(self._given[node.id]) if node.id in self._given else node


def _without_defaults(tree: ast.Module, trees: list[ast.Module], kept: set[str]) -> None:
    """Give every argument by place, where all calls are known."""
    names = Names(trees)
    known = {
        key: one
        for key, one in _known(tree, names, kept)
        if one.node.args.defaults and _is_plain(one.node) and not one.node.args.kwonlyargs
    }
    for key, sites in _sites(trees, known, names).items():
        node = known[key].node
        places = [item.arg for item in node.args.args][known[key].owner is not None :]
        made = [_by_place(site, known[key], places, names) for site in sites]
        if made and all(values is not None for values in made):
            for site, values in zip(sites, made, strict=True):
                assert isinstance(site, ast.Call) and values is not None
                site.args, site.keywords = values, []
            node.args.defaults = []


def _by_place(
    site: Site, callee: Callee, places: list[str], names: Names
) -> list[ast.expr] | None:
    """The arguments of a call in the order of their places; None if they can't have it."""
    if not isinstance(site, ast.Call):
        return None
    try:
        values = values_of(site, callee)
    except CannotBePlacedError:
        return None
    ordered = [values[name] for name in places]
    moved = [value for value in values.values() if value in ordered]
    is_same = [value for value in ordered if _does(value, names)] == [
        value for value in moved if _does(value, names)
    ]
    return [copy.deepcopy(value) for value in ordered] if is_same else None


def _does(value: ast.expr, names: Names) -> bool:
    return not isinstance(value, ast.Constant) and not names.is_set_once(value)
