"""Functions and methods of a joined program that are called at one place and may stand there."""

import ast
from collections import Counter
from typing import NamedTuple

from edge.app.cli.build_bindings import COMPREHENSIONS
from edge.app.cli.build_words import fixed_words, is_record

Owner = ast.ClassDef | None
#: What takes a generator's values at once.
_TAKERS = ("all", "any", "bytes", "dict", "list", "max", "min", "set", "sorted", "sum", "tuple")
_REFUSED = (
    *(ast.Yield, ast.YieldFrom, ast.Global, ast.Nonlocal, ast.Lambda, ast.FunctionDef),
    *(ast.Import, ast.ImportFrom, ast.With, ast.NamedExpr),
)


class Callee(NamedTuple):
    """A function, the class it is a method of, and the body that it is in."""

    node: ast.FunctionDef
    owner: Owner
    body: list[ast.stmt]

    @property
    def spelling(self) -> str:
        if self.owner is None:
            return self.node.name
        return f"{self.owner.name}.{self.node.name.removeprefix('attr:')}"

    def leave(self) -> None:
        """Take it out of its module or class."""
        self.body.remove(self.node)
        if not self.body:
            self.body.append(ast.Pass())


class Names:
    """How often names and attributes occur in a program, in whatever role."""

    def __init__(self, trees: list[ast.Module]) -> None:
        self.fixed = fixed_words(trees)
        self.globals: Counter[str] = Counter()
        self.words: Counter[str] = Counter()
        self.defined: Counter[str] = Counter()
        self.stored: set[str] = set()
        self.set_again: set[str] = set()
        self.properties: set[str] = set()
        for node in (node for tree in trees for node in ast.walk(tree)):
            self._note(node)

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Name):
            if node.id.startswith("attr:"):
                self.defined[node.id[5:]] += 2
            self.globals[node.id] += 1
        elif isinstance(node, ast.Attribute):
            self.words[node.attr] += 1
            if not isinstance(node.ctx, ast.Load):
                self.stored.add(node.attr)
        elif isinstance(node, ast.FunctionDef):
            self.defined[node.name.removeprefix("attr:")] += 1
            if node.decorator_list:
                self.properties.add(node.name.removeprefix("attr:"))
        elif isinstance(node, ast.Global):
            self.set_again.update(node.names)
        elif isinstance(node, ast.alias):
            self.globals[node.name] += 2
        elif isinstance(node, ast.Call) and is_record(node):
            self.defined.update(dict.fromkeys(ast.literal_eval(node.args[1]), 2))

    def is_method(self, word: str) -> bool:
        """Whether an attribute is a method, of whatever object."""
        return self.defined[word] == 1 and word not in self.stored and word not in self.fixed

    def is_read(self, node: ast.expr) -> bool:
        """Whether it is an attribute of a name, and of it, that is only read."""
        while isinstance(node, ast.Attribute) and node.attr not in self.properties:
            node = node.value
        return self.is_set_once(node)

    def is_set_once(self, node: ast.expr) -> bool:
        """Whether it is a name that no function of others sets."""
        return isinstance(node, ast.Name) and node.id not in self.set_again


def callees_of(tree: ast.Module, names: Names, kept: set[str]) -> dict[str, Callee]:
    """{name, or "." and the word of a method: the function}; each is called once, by this name."""
    found: dict[str, Callee] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            if names.globals[node.name] == 1 and node.name not in kept and _may_move(node):
                found[node.name] = Callee(node, None, tree.body)
        elif isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and _is_sole(item, names):
                    word = item.name.removeprefix("attr:")
                    found["." + word] = Callee(item, node, node.body)
    return found


def _is_sole(node: ast.FunctionDef, names: Names) -> bool:
    word = node.name.removeprefix("attr:")
    is_special = word.startswith("__") and word.endswith("__")
    is_known = not is_special and names.is_method(word) and names.words[word] == 1
    return is_known and _may_move(node) and bool(node.args.args)


def _may_move(node: ast.FunctionDef) -> bool:
    given = node.args
    if node.decorator_list or given.vararg or given.kwarg or given.posonlyargs:
        return False
    taken = {
        id(item.args[0])
        for item in ast.walk(node)
        if isinstance(item, ast.Call) and item.args and _name(item.func) in _TAKERS
    }
    inside = [item for statement in node.body for item in ast.walk(statement)]
    return not any(
        isinstance(item, _REFUSED)
        or isinstance(item, ast.GeneratorExp)
        and id(item) not in taken
        or isinstance(item, ast.Name)
        and item.id in ("super", "locals")
        or isinstance(item, COMPREHENSIONS)
        and len(item.generators) > 2
        for item in inside
    )


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else ""
