"""Leaves out of a joined program what nothing in it reaches, each name taken for what it means.

`build_shake` goes by words, before names are told apart; here a function is reached by its own
name alone, a method still by any attribute or text that is called like it.
"""

import ast
from collections.abc import Iterator

from edge.app.cli.build_join import Joined, needed_of
from edge.app.cli.build_words import is_record

#: Calls in the value of a constant that do nothing but make it.
_MAKERS = ("namedtuple", "frozenset", "tuple", "range", "len", "bytes", "min", "max")


def reach(joined: dict[str, Joined], kept: tuple[str, ...]) -> dict[str, Joined]:
    """The same program without what is not reached from `kept` and from what modules do."""
    reached = _Reached(joined, kept)
    made: dict[str, Joined] = {}
    for group, part in joined.items():
        body = [node for node in part.tree.body if reached.has(node)]
        for node in body:
            if isinstance(node, ast.ClassDef):
                node.body = [item for item in node.body if reached.has_item(item)] or [ast.Pass()]
        body = _without_unused_imports(body)
        made[group] = Joined(ast.Module(body, []), needed_of(group, body))
    return {group: part for group, part in made.items() if part.tree.body}


class _Reached:
    def __init__(self, joined: dict[str, Joined], kept: tuple[str, ...]) -> None:
        nodes = [node for part in joined.values() for node in part.tree.body]
        self._defined: dict[str, list[ast.stmt]] = {}
        self._records = {
            _target(node) for node in nodes if is_record(getattr(node, "value", node))
        }
        self._names = set(kept)
        self._words: set[str] = set()
        waiting: list[ast.AST] = []
        for node in nodes:
            name = self._name_of(node)
            if name:
                self._defined.setdefault(name, []).append(node)
            elif not isinstance(node, ast.Import | ast.ImportFrom):
                waiting.append(node)
        self._methods: list[ast.FunctionDef] = []
        self._follow(waiting, kept)

    def has(self, node: ast.stmt) -> bool:
        """Whether a statement of a module stays."""
        name = self._name_of(node)
        return not name or name in self._names

    def has_item(self, node: ast.stmt) -> bool:
        """Whether a statement of a class that stays does."""
        if not isinstance(node, ast.FunctionDef):
            return True
        word = node.name.removeprefix("attr:")
        return word in self._words or word.startswith("__") and word.endswith("__")

    def _name_of(self, node: ast.stmt) -> str:
        """The name that a statement defines, if it does nothing else."""
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return node.name
        name = _target(node)
        calls = [item.func for item in ast.walk(node) if isinstance(item, ast.Call)]
        makers = (*_MAKERS, *self._records)
        is_plain = all(isinstance(call, ast.Name) and call.id in makers for call in calls)
        return name if is_plain else ""

    def _follow(self, waiting: list[ast.AST], kept: tuple[str, ...]) -> None:
        for name in kept:
            waiting += self._defined.pop(name, [])
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.ClassDef):
                methods = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                self._methods += methods
                waiting += [*node.bases, *(item for item in node.body if item not in methods)]
            else:
                for name in _named(node):
                    self._names.add(name)
                    self._words.add(name)
                    waiting += self._defined.pop(name, [])
            if not waiting:
                waiting += [item for item in self._methods if self.has_item(item)]
                self._methods = [item for item in self._methods if not self.has_item(item)]


def _target(node: ast.stmt) -> str:
    """The one name of a module that a statement sets."""
    target = node.targets[0] if isinstance(node, ast.Assign) and len(node.targets) == 1 else None
    return target.id if isinstance(target, ast.Name) and ":" in target.id else ""


def _makes_record(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and is_record(node.value)


def _named(whole: ast.AST) -> Iterator[str]:
    """Names of modules' things, and words that may be attributes."""
    for node in ast.walk(whole):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Store):
            yield node.id.removeprefix("attr:")
        elif isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            yield node.target.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.alias):
            yield node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def _without_unused_imports(body: list[ast.stmt]) -> list[ast.stmt]:
    named = {item.id for node in body for item in ast.walk(node) if isinstance(item, ast.Name)}
    return [
        node
        for node in body
        if not isinstance(node, ast.Import | ast.ImportFrom)
        or (node.names[0].asname or node.names[0].name).split(".")[0] in named
    ]
