"""Texts that are said rarely are parts of one text, and say the same."""

import ast
from typing import Any

from edge.app.cli.build_join import Joined
from edge.app.cli.build_texts import share_texts

SOURCE = """
from collections import namedtuple
Spot = namedtuple("Spot", "left right")
NAMES = ("a table of", "a name")
WORDS = {"a long key of a table": 1}
class Told:
    kind = "the kind of a class"
    def tell(self, code="the text of a default"):
        if code == "bus.port":
            raise ValueError("the body is no array", "no array")
        return f"it is {code} of %d" % 3 + "ä long text" + code
def run(value):
    known = {"the body of a key": "u16", "data.gap": value}
    return [known, value in ("bus.timeout", "bus.port"), "%d of %d rows" % (1, 2), "u16"]
"""


def made() -> ast.Module:
    joined = {"app": Joined(ast.parse(SOURCE), [])}
    share_texts(joined)
    return joined["app"].tree


def run(tree: ast.Module) -> list[Any]:
    space: dict[str, Any] = {}
    exec(compile(ast.unparse(tree), "app", "exec"), space)
    told = space["Told"]()
    try:
        told.tell("bus.port")
    except ValueError as error:
        refused = error.args
    words = [space["NAMES"], space["WORDS"], told.kind, space["Spot"](1, 2).right]
    return [space["run"](4), told.tell(), told.tell("x"), refused, *words]


def texts(tree: ast.Module) -> list[str]:
    return [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_a_program_says_the_same():
    assert run(made()) == run(ast.parse(SOURCE))


def test_one_text_has_what_is_said_rarely():
    shared, *left = texts(made())
    for text in ("the body is no array", "%d of %d rows", "the body of a key", "data.gap"):
        assert shared.count(text) == 1
        assert text not in left
    assert len(shared) < len("".join(texts(ast.parse(SOURCE))))


def test_what_is_kept_or_is_a_name_all_the_same_stays_one_object():
    left = texts(made())[1:]
    for text in (
        "a table of",
        "a long key of a table",
        "the kind of a class",
        "u16",
        "ä long text",
    ):
        assert text in left
    assert "the text of a default" in left
    assert left.count("bus.port") == 2  # one is in a tuple, so it is a name in any case
