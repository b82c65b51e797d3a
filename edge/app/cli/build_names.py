"""Short names for what a device's program defines; what they stand for is told.

A name is changed where it is known that only our sources use it: `build_words` says which are
left alone. Attributes and keywords have one short name each in the whole program.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from edge.app.cli.build_join import Joined, lent
from edge.app.cli.build_own import OwnAttributes, is_own
from edge.app.cli.build_static import ARGUMENTS, STATIC, given_names
from edge.app.cli.build_words import ASKED, Keywords, fixed_words, is_record, texts


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
    stays = {name: name.rpartition(":")[2] for name in (*kept, *_errors(trees))}
    names = _names_of(joined, trees, keywords.words, stays)
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
    stays: dict[str, str],
) -> Names:
    """Names in ROM first: globals from the front of the list, attributes from its end."""
    whole = _counts(trees)
    words = _defined(trees) | keywords
    fixed = fixed_words(trees) | {word for word in words if _is_special(word)}
    words -= fixed
    bare = _bare(trees) | set(ARGUMENTS) | (keywords & fixed)
    members = _members(trees) - words | texts(trees) | ASKED
    by_keyword = sorted(words & keywords)
    of_words = dict(zip(by_keyword, given_names(bare | members)))
    bare |= set(of_words.values())
    members |= set(of_words.values())
    of_globals = _global_names(joined, bare | set(stays.values()), stays)
    at_class_level = _named_at_class_level(trees)
    members |= {names.get(name, name) for names in of_globals.values() for name in at_class_level}
    given = given_names(members, STATIC[::-1])
    of_own, shared = _own_names(OwnAttributes(trees, fixed), given)
    left = sorted(words - set(of_words) - shared, key=lambda word: (-whole[word], word))
    of_words.update(zip(left, given))
    return Names(of_globals, of_words, of_own)


def _global_names(
    joined: dict[str, Joined], taken: set[str], stays: dict[str, str]
) -> dict[str, dict[str, str]]:
    """{joined module: {"module:name": short}}; what it imports is called as where it is from.

    What functions import of overlays has one name everywhere.
    """
    of_all = dict(zip(lent(joined), given_names(taken), strict=False))
    taken = taken | set(of_all.values())
    stays = {**of_all, **stays}
    found: dict[str, dict[str, str]] = {}
    for group, part in joined.items():
        counts = _counts([part.tree])
        named = [name for name in counts if ":" in name and not _is_local(name)]
        names = {name: stays[name] for name in named if name in stays}
        for name in sorted(set(part.needed) - set(names)):
            short = next(known[name] for known in found.values() if name in known)
            if short not in names.values():
                names[name] = short
        left = sorted(set(named) - set(names), key=lambda name: (-counts[name], name))
        names.update(zip(left, given_names(taken | set(names.values()))))
        found[group] = names
    return found


def _bare(trees: list[ast.Module]) -> set[str]:
    """Names that stay and are no attributes: of the firmware, built in, local."""
    found: set[str] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        for field in ("id", "name", "asname"):
            name = getattr(node, field, None)
            if isinstance(name, str) and ":" not in name:
                found.add(name)
    return found


def _members(trees: list[ast.Module]) -> set[str]:
    """Names of attributes and keywords."""
    nodes = [node for tree in trees for node in ast.walk(tree)]
    found = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    found |= {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}
    return found | _defined(trees)


def _named_at_class_level(trees: list[ast.Module]) -> set[str]:
    """Names that are looked up in a class first, because they are no part of a function's code."""
    waiting: list[ast.AST] = [
        item
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.ClassDef)
        for item in node.body
    ]
    found: set[str] = set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name):
            found.add(node.id)
        if isinstance(node, ast.FunctionDef | ast.Lambda):
            waiting += [*node.args.defaults, *(item for item in node.args.kw_defaults if item)]
            waiting += getattr(node, "decorator_list", [])
        else:
            waiting += ast.iter_child_nodes(node)
    return found


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
