"""Attributes that only an object's own methods name: classes that are no kin share their names."""

import ast

#: How `qualify` spells the argument that a method is given its object by.
SELF = "arg:0:self"


class OwnAttributes:
    """families: {class: the one that stands for its family}, by inheritance.

    words: {family: attributes that are its own}; none of them is named in any other way.
    """

    def __init__(self, trees: list[ast.Module], fixed: set[str]) -> None:
        classes = [
            node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ClassDef)
        ]
        self.families = _families(classes)
        inside: dict[str, set[str]] = {}
        own: set[int] = set()
        for node in classes:
            found = inside.setdefault(self.families[node.name], set())
            for item in ast.walk(node):
                if is_own(item):
                    found.add(item.attr)  # type: ignore[attr-defined]
                    own.add(id(item))
                elif isinstance(item, ast.FunctionDef) and item.name.startswith("attr:"):
                    own.add(id(item))
        elsewhere = fixed | {
            name
            for tree in trees
            for item in ast.walk(tree)
            if id(item) not in own
            for name in _named(item)
        }
        self.words = {family: found - elsewhere for family, found in inside.items()}


def is_own(node: ast.AST) -> bool:
    """Whether it is an attribute of the object whose method it is in."""
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == SELF
    )


def _named(node: ast.AST) -> list[str]:
    """Names of attributes and keywords in any other role."""
    if isinstance(node, ast.Attribute):
        return [node.attr]
    if isinstance(node, ast.Name) and node.id.startswith("attr:"):
        return [node.id[5:]]
    return [node.arg] if isinstance(node, ast.keyword) and node.arg else []


def _families(classes: list[ast.ClassDef]) -> dict[str, str]:
    found = {node.name: node.name for node in classes}
    for node in classes:
        for base in node.bases:
            other = found.get(ast.unparse(base))
            if other is not None:
                mine = found[node.name]
                found = {name: other if of == mine else of for name, of in found.items()}
    return found
