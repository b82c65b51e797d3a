"""Short names for what a device's program defines; what they stand for is told.

A name is changed where it is known that only our sources use it: `build_words` says which are
left alone. Attributes and keywords have one short name each in the whole program.
"""

import ast
import keyword
from collections import Counter
from collections.abc import Iterator
from string import ascii_letters, digits
from typing import NamedTuple

from edge.app.cli.build_join import Joined, lent
from edge.app.cli.build_own import OwnAttributes, is_own
from edge.app.cli.build_words import Keywords, fixed_words, is_record

#: Names of arguments that are given by place: in every firmware, so they take no memory.
ARGUMENTS = (
    *("append", "clear", "close", "copy", "count", "extend", "find", "format", "index", "insert"),
    *("isalpha", "isdigit", "islower", "isspace", "isupper", "items", "join", "keys", "lower"),
    *("lstrip", "pop", "popitem", "read", "readinto", "readline", "remove", "replace", "reverse"),
    *("rfind", "rindex", "rsplit", "rstrip", "send", "setdefault", "split", "startswith", "strip"),
)


class Names(NamedTuple):
    """of_globals: {joined module: {"module:name": short}}; of_words: {attribute: short}.

    of_own: {class: {attribute that only its family names: short}}.
    """

    of_globals: dict[str, dict[str, str]]
    of_words: dict[str, str]
    of_own: dict[str, dict[str, str]]

    def of_attribute(self, word: str, owner: str) -> str:
        """The short name of an attribute that is named in a class, "" outside of any."""
        own = self.of_own.get(owner, {})
        return own[word] if word in own else self.of_words.get(word, word)


#: {joined module, or ATTRIBUTES: {name as the device says it: what it may be}}
Meanings = dict[str, dict[str, list[str]]]
ATTRIBUTES = "attributes"


def shorten(joined: dict[str, Joined], kept: tuple[str, ...]) -> Meanings:
    """Put short names into the trees; errors keep theirs, which are shown.

    kept: spellings of what is called by name from outside.
    """
    trees = [part.tree for part in joined.values()]
    keywords = Keywords(trees)
    kept = (*kept, *_errors(trees), *lent(joined))
    names = _names_of(joined, trees, keywords.words, kept)
    told = {group: _meanings(part.tree, names, group) for group, part in joined.items()}
    told[ATTRIBUTES] = {short: [word] for word, short in names.of_words.items()}
    for owner, own in names.of_own.items():
        for word, short in own.items():
            whole = f"{owner.replace(':', '.')}.{word}"
            told[ATTRIBUTES].setdefault(short, []).append(whole)
    for group, part in joined.items():
        _Renamer(names, group, keywords).visit(part.tree)
        for name in reversed(part.needed):
            part.tree.body.insert(0, _import_of(name, group, names))
    return told


def _meanings(tree: ast.Module, names: Names, group: str) -> dict[str, list[str]]:
    """What the names of functions and classes may be, methods included."""
    found: dict[str, list[str]] = {}
    for spelling, short in names.of_globals[group].items():
        found.setdefault(short, []).append(spelling.replace(":", "."))
    for node in (node for node in tree.body if isinstance(node, ast.ClassDef)):
        for item in node.body:
            if isinstance(item, ast.FunctionDef):
                word = item.name.removeprefix("attr:")
                whole = f"{node.name.replace(':', '.')}.{word}"
                found.setdefault(names.of_attribute(word, node.name), []).append(whole)
    return found


def _names_of(
    joined: dict[str, Joined],
    trees: list[ast.Module],
    keywords: set[str],
    kept: tuple[str, ...],
) -> Names:
    counts = {group: _counts([part.tree]) for group, part in joined.items()}
    whole = _counts(trees)
    words = _defined(trees) | keywords
    fixed = fixed_words(trees) | {word for word in words if _is_special(word)}
    words -= fixed
    taken = {name for name in whole if ":" not in name} - words | set(ARGUMENTS)
    taken |= {name.rpartition(":")[2] for name in kept}
    by_keyword = sorted(words & keywords)
    given = _short_names(taken)
    of_words = {word: next(given) for word in by_keyword}
    taken |= set(of_words.values())
    of_globals = {}
    for group in joined:
        given = _short_names(taken)
        own = [name for name in counts[group] if ":" in name and not _is_local(name)]
        own.sort(key=lambda name: (-counts[group][name], name))
        of_globals[group] = {
            name: name.rpartition(":")[2] if name in kept else next(given) for name in own
        }
    given = _short_names(taken)
    of_own, shared = _own_names(OwnAttributes(trees, fixed), given)
    left = sorted(words - set(of_words) - shared, key=lambda word: (-whole[word], word))
    of_words.update({word: next(given) for word in left})
    return Names(of_globals, of_words, of_own)


def _own_names(
    own: OwnAttributes, given: Iterator[str]
) -> tuple[dict[str, dict[str, str]], set[str]]:
    """{class: {attribute: short}}, the same short names for every family; and the attributes."""
    most = max((len(words) for words in own.words.values()), default=0)
    short = [next(given) for _ in range(most)]
    of_families = {
        family: dict(zip(sorted(words), short, strict=False))
        for family, words in own.words.items()
    }
    shared = {word for words in own.words.values() for word in words}
    return {name: of_families[family] for name, family in own.families.items()}, shared


def _errors(trees: list[ast.Module]) -> list[str]:
    """Classes of errors."""
    found = ["Exception"]
    for node in (node for tree in trees for node in tree.body):
        if isinstance(node, ast.ClassDef) and any(ast.unparse(one) in found for one in node.bases):
            found.append(node.name)
    return found[1:]


def _short_names(taken: set[str]) -> Iterator[str]:
    for first in ascii_letters:
        if first not in taken:
            yield first
    for first in ascii_letters:
        for second in ascii_letters + digits:
            name = first + second
            if name not in taken and not keyword.iskeyword(name):
                yield name


def _is_local(name: str) -> bool:
    return name.startswith(("arg:", "attr:"))


def _counts(trees: list[ast.Module]) -> Counter[str]:
    """How often each name occurs, in whatever role."""
    found: Counter[str] = Counter()
    for node in (node for tree in trees for node in ast.walk(tree)):
        for field in ("id", "name", "attr", "arg", "asname"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                found[name.removeprefix("attr:")] += 1
        if isinstance(node, ast.Global):
            found.update(node.names)
        elif isinstance(node, ast.Call) and is_record(node):
            found.update(_fields(node))
    return found


def _fields(node: ast.Call) -> list[str]:
    fields: list[str] = ast.literal_eval(node.args[1])
    return fields


def _defined(trees: list[ast.Module]) -> set[str]:
    """Attributes that our sources make: methods, what is assigned, and fields."""
    found: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("attr:"):
            found.add(node.name[5:])
        elif isinstance(node, ast.Name) and node.id.startswith("attr:"):
            found.add(node.id[5:])
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            found.add(node.attr)
        elif isinstance(node, ast.Call) and is_record(node):
            found.update(_fields(node))
    return found


def _is_special(name: str) -> bool:
    return name.startswith("__") and name.endswith("__")


def _import_of(name: str, group: str, names: Names) -> ast.stmt:
    for other, known in names.of_globals.items():
        if other != group and name in known:
            alias = ast.alias(known[name], names.of_globals[group][name])
            return ast.ImportFrom(other, [alias], 0)
    raise KeyError(name)


class _Renamer(ast.NodeTransformer):
    def __init__(self, names: Names, group: str, keywords: Keywords):
        self._names = names
        self._globals = names.of_globals[group]
        self._words = names.of_words
        self._keywords = keywords
        self._owner = ""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        outside, self._owner = self._owner, node.name
        self.generic_visit(node)
        self._owner = outside
        return node

    def _short(self, name: str) -> str:
        kind, _, rest = name.partition(":")
        if kind == "attr":
            return self._names.of_attribute(rest, self._owner)
        if kind == "arg":
            place, _, word = rest.partition(":")
            is_named = word in self._keywords.words
            return self._words.get(word, word) if is_named else ARGUMENTS[int(place)]
        return self._globals.get(name, name)

    def generic_visit(self, node: ast.AST) -> ast.AST:
        if isinstance(node, ast.Call):
            self._rename_call(node)
        elif isinstance(node, ast.Assign) and is_record(node.value):
            self._name_record(node.targets[0], node.value)
        for field in ("id", "name", "asname"):
            name = getattr(node, field, None)
            if isinstance(name, str):
                setattr(node, field, self._short(name))
        if isinstance(node, ast.arg):
            node.arg = self._short(node.arg)
        elif isinstance(node, ast.Attribute):
            owner = self._owner if is_own(node) else ""
            node.attr = self._names.of_attribute(node.attr, owner)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            node.names = [self._short(name) for name in node.names]
        return super().generic_visit(node)

    def _rename_call(self, node: ast.Call) -> None:
        """Its keywords and, where it makes a record's type, the fields, as one text."""
        if self._keywords.is_ours(node):
            for given in node.keywords:
                given.arg = given.arg and self._words.get(given.arg, given.arg)
        if is_record(node):
            fields = [self._words.get(field, field) for field in _fields(node)]
            node.args[1] = ast.Constant(" ".join(fields))

    def _name_record(self, target: ast.expr, made: ast.expr) -> None:
        if isinstance(target, ast.Name) and isinstance(made, ast.Call):
            made.args[0] = ast.Constant(self._short(target.id))
