"""Attributes of a device's objects that only their own methods name."""

import ast

from edge.app.cli.build_join import join
from edge.app.cli.build_names import shorten

from .test_build_names import ENTRIES, KEPT

KIN = """
class Link:
    def __init__(self): self._first, self._second, self.shown = 1, 2, 3
    def sum(self): return self._first + self._second + self.shown
class Wire(Link):
    def __init__(self):
        super().__init__()
        self._third, self._seen = 4, 0
    def whole(self): return self.sum() + self._third
class Store:
    def __init__(self): self._first, self._rows = 10, 20
    def whole(self): return self._first + self._rows
def see(link): return link._seen, link.shown
def run(): return [Wire().whole(), Store().whole(), see(Wire())]
"""


def test_attributes_that_only_the_own_methods_name_share_short_names_unless_they_are_kin():
    joined = join({"edge.app.start": KIN}, ENTRIES)
    told = shorten(joined, KEPT)["attributes"]
    made: dict[str, object] = {}
    exec(ast.unparse(ast.fix_missing_locations(joined["app"].tree)), made)
    assert made["run"]() == [10, 30, (0, 3)]  # type: ignore[operator]
    short = {meant: name for name, all_meant in told.items() for meant in all_meant}
    of_link = {short[f"edge.app.start.Link.{name}"] for name in ("_first", "_second")}
    of_store = {short[f"edge.app.start.Store.{name}"] for name in ("_first", "_rows")}
    assert len(of_link) == len(of_store) == 2 and of_link & of_store
    of_wire = {short[f"edge.app.start.Wire.{name}"] for name in ("_third", "_first", "_second")}
    assert of_link < of_wire and len(of_wire) == 3
    assert not {short["shown"], short["_seen"]} & of_wire, "others name these"
