"""Functions of one expression stand where they are called, and calls give all by place."""

import ast
from pathlib import Path

from edge.app.cli.build_expressions import express
from edge.app.cli.build_fold import fold
from edge.app.cli.build_join import join
from edge.app.cli.build_lean import as_one
from edge.app.cli.build_reach import reach

from .test_build_names import ENTRIES, KEPT, run_apart, run_joined

TEXT = """
log = []
def said(what):
    log.append(what)
    return what
def twice(n): return n + n
def first(n, more=2): return n * 10 + more
def last(n, more): return more - n
def chained(n): return twice(n) + first(n)
def span(start, end): return end - start & 0xFF
def late(first, second): return second - first
def named(n): return n
def many(*n): return n
def ever(n): return n and ever(n - 1)
class Thing:
    def __init__(self, n, more=1): self.n, self.more = n, more
    @property
    def sum(self): return self.n + self.more
    @property
    def noted(self): return said(self.n)
    def above(self, n): return self.n > n
    def changed(self, n): return self.set(5) + n
    def set(self, n):
        self.n = n
        return n
    def other(self, n=3, m=4):
        self.more += n
        return [n, m, self.above(m)]
class Kin(Thing):
    def above(self, n): return super().above(n) or n == 0
def given(a, b=2, c=3):
    said([a, b, c])
    return [c, b, a]
def run():
    thing, kin = Thing(7), Kin(2)
    n = 3
    found = [twice(n), first(said(4)), last(n, 9), chained(n), span(thing.n, thing.more)]
    found += [last(said(1), said(2)), twice(said(6)), list(map(named, [1])), many(1), ever(2)]
    found += [thing.sum, thing.noted + span(thing.n, 20), [one.sum for one in (thing, kin)]]
    found += [thing.above(4), kin.above(0), thing.changed(thing.n), thing.n]
    found += [given(1), given(said(1), c=said(5)), given(c=said(6), a=said(7))]
    found += [late(thing.n, thing.set(2))]
    found += [thing.other(), kin.other(m=said(8)), (lambda n: twice(n))(4)]
    return [found, log]
"""
SOURCES = {"edge": "", "edge.app": "", "edge.app.start": TEXT}


def test_expressions_give_the_same_wherever_they_stand(tmp_path: Path):
    apart = run_apart(tmp_path / "apart", SOURCES)
    assert run_joined(tmp_path / "joined", SOURCES) == apart


def test_what_may_be_something_else_stays_a_function():
    joined = express(as_one(reach(fold(join(SOURCES, ENTRIES)), KEPT)), KEPT)
    functions = {
        node.name.rpartition(":")[2]: node
        for node in ast.walk(joined["app"].tree)
        if isinstance(node, ast.FunctionDef)
    }
    assert not {"first", "chained", "span", "sum", "noted"} & set(functions)
    assert {"twice", "last", "named", "many", "ever", "late", "above", "changed"} <= set(functions)
    assert not functions["other"].args.defaults
    assert functions["given"].args.defaults, "the order of its arguments is another in a call"
    assert functions["__init__"].args.defaults
