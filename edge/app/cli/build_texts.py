"""Texts that a program says rarely, as parts of one text: one object for all in place of each.

In place, what a text says costs nothing, but each is an object of 16 bytes with a place in a
table, or, up to ten characters, a name that is never freed. A part is made each time it is said,
so only what people read and codes are shared: what has a blank or a dot in it, or is long.
"""

import ast
from collections import Counter

from edge.app.cli.build_join import Joined
from edge.app.cli.build_static import STATIC

#: Up to so many characters a text is a name to MicroPython.
SHORT_CHARS = 10


def share_texts(joined: dict[str, Joined]) -> None:
    """Put parts of one text in the place of each, per joined module."""
    trees = [part.tree for part in joined.values()]
    said = Counter(text for tree in trees for text in _texts(tree))
    heard = _Listener()
    for tree in trees:
        heard.visit(tree)
    wanted = {text for text, times in heard.found.items() if _gains(text, times == said[text])}
    for tree in trees:
        _share(tree, wanted)


def _gains(text: str, is_everywhere: bool) -> bool:
    """Whether sharing a text is less memory. is_everywhere: it would be no name any more."""
    if not text.isascii() or len(text) > SHORT_CHARS:
        return text.isascii()
    return is_everywhere and len(text) > 2 and (" " in text or "." in text)


def _texts(tree: ast.Module) -> list[str]:
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


class _Listener(ast.NodeTransformer):
    """Comes to the texts that are made anew where they stand, or may be."""

    def __init__(self) -> None:
        self.found: Counter[str] = Counter()

    def visit_Module(self, node: ast.Module) -> ast.Module:
        for item in node.body:
            if isinstance(item, ast.FunctionDef | ast.ClassDef):
                self.visit(item)
            elif isinstance(item, ast.Assign) and isinstance(item.value, ast.Call):
                self.visit(item.value)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.ClassDef:
        """What a class keeps stays one object."""
        for item in node.body:
            if isinstance(item, ast.FunctionDef):
                self.visit(item)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """So does what a default keeps."""
        node.body = [self.visit(item) for item in node.body]
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        node.body = self.visit(node.body)
        return node

    def visit_Tuple(self, node: ast.Tuple) -> ast.expr:
        """One of constants is a constant."""
        if all(isinstance(item, ast.Constant | ast.Tuple) for item in node.elts):
            return node
        return self.generic_visit(node)  # type: ignore[return-value]

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.expr:
        """What a form has between its fields is a part of the form."""
        for item in node.values:
            if isinstance(item, ast.FormattedValue):
                item.value = self.visit(item.value)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if isinstance(node.value, str):
            self.found[node.value] += 1
        return node


class _Sharer(_Listener):
    """Puts a part of the text `name` where one of its parts stands."""

    def __init__(self, name: str, text: str, wanted: set[str]) -> None:
        super().__init__()
        self._name, self._text, self._wanted = name, text, wanted

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str) or node.value not in self._wanted:
            return node
        at = self._text.index(node.value)
        part = ast.Slice(ast.Constant(at), ast.Constant(at + len(node.value)))
        return ast.Subscript(ast.Name(self._name, ast.Load()), part, ast.Load())


def _share(tree: ast.Module, wanted: set[str]) -> None:
    heard = _Listener()
    heard.visit(tree)
    text = ""
    for item in sorted(wanted & set(heard.found), key=len, reverse=True):
        text += "" if item in text else item
    if not text:
        return
    name = _free_name(tree)
    _Sharer(name, text, wanted).visit(tree)
    at = sum(isinstance(node, ast.Import | ast.ImportFrom) for node in tree.body)
    tree.body.insert(at, ast.Assign([ast.Name(name, ast.Store())], ast.Constant(text), lineno=1))
    ast.fix_missing_locations(tree)


def _free_name(tree: ast.Module) -> str:
    """A name of the firmware that stands for nothing in the tree."""
    taken = {
        getattr(node, field)
        for node in ast.walk(tree)
        for field in ("id", "arg", "name", "asname")
        if isinstance(getattr(node, field, None), str)
    }
    return next(name for name in STATIC if name not in taken)
