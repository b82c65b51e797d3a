"""Functions of a device's program that stand where they are called do what they did apart."""

import ast
from pathlib import Path

import pytest

from edge.app.cli.build_fold import fold
from edge.app.cli.build_inline import inline, tell_inside
from edge.app.cli.build_join import Joined, join
from edge.app.cli.build_lean import as_one
from edge.app.cli.build_reach import reach

from .test_build_names import ENTRIES, KEPT, run_apart, run_joined

#: {what the case is: functions}
CASES = {
    "returned": ("def one(a, b=3): return [a, b]\ndef case(): return one(b=said(1), a=said(2))"),
    "order": (
        "def one(a, b, c): return [c, b, a]\n"
        "def case(): x = one(said(1), c=said(2), b=said(3)); return x"
    ),
    "guards": (
        "def one(n):\n"
        "    if n > 3: return 'big'\n"
        "    if n == 2:\n        n += 5\n    elif n == 1: return 'one'\n"
        "    for i in range(n):\n        if i == 6: return ['six', i]\n"
        "    return n\n"
        "def case():\n    found = []\n    for n in range(6):\n"
        "        got = one(n)\n        found.append([got, n])\n    return found"
    ),
    "caught": (
        "def one(n):\n"
        "    try: m = 6 // n\n    except ZeroDivisionError as error: return str(error)\n"
        "    except TypeError: raise ValueError('no number')\n"
        "    m += 1\n    return m\n"
        "def case():\n    found = []\n    for n in (0, 1, 'x', 2):\n"
        "        try: got = one(n)\n        except ValueError as error: got = str(error)\n"
        "        found.append(got)\n    return found"
    ),
    "same names": (
        "def one(x):\n    y = [x * 2 for x in range(x)]\n    z = len(y)\n    return [x, y, z]\n"
        "def two(y):\n    y += 1\n    x = y * 2\n    return x\n"
        "def case():\n    x, y, z = 4, 5, 6\n    a = one(y)\n    b = two(z)\n"
        "    return [x, y, z, a, b, sum(one_more(z))]\n"
        "def one_more(z):\n    y = z\n    return tuple(x + y for x in range(z))"
    ),
    "what is first": (
        "def one(): said(1); return 5\ndef two(): said(2); return True\ndef three(): return [3]\n"
        "def case():\n    if two() and said(3): said(4)\n    else: said(5)\n"
        "    x = one() + said(6)\n    for n in three(): said(n)\n"
        "    if said(7) and never(): pass\n    return said(8) + late()\n"
        "def never(): said('never'); return 0\ndef late(): return said(9)"
    ),
    "nested": (
        "def a(x):\n    if b(x): return c(x)\n    return -1\n"
        "def b(x):\n    y = d(x)\n    return y > 3\n"
        "def c(x): said(x); return d2(x) * 2\n"
        "def d(x): return x + 1\ndef d2(x): z = x - 1; return z\n"
        "def case(): return [row() for _ in range(2)]\n"
        "def row():\n    kept = a(7)\n    return [kept, e(1)]\n"
        "def e(x):\n    return a2(x)\ndef a2(x): return x"
    ),
    "methods": (
        "class Thing:\n"
        "    def __init__(self, n): self.n = n; self.seen = []\n"
        "    def go(self):\n        self.note(1)\n        if self.is_big(): return self.shown()\n"
        "        more = self.other.swap(self)\n        return [more, self.n]\n"
        "    def note(self, what): self.seen.append([what, self.n])\n"
        "    def is_big(self):\n        for one in self.seen:\n"
        "            if one[1] > 5: return True\n        return False\n"
        "    def shown(self): return [self.n, self.seen]\n"
        "    def swap(self, other):\n        n = other.n\n        other.n, self.n = self.n, n\n"
        "        return other.seen\n"
        "def case():\n    x, y, big = Thing(1), Thing(2), Thing(9)\n    x.other = y\n"
        "    return [x.go(), y.n, big.go()]"
    ),
    "what stays": (
        "def one():\n    while True:\n        if said(1): return 3\n"
        "def two(n):\n    if n: said(2)\n    else: return 1\n    said(3)\n"
        "def rec(n): return n and rec(n - 1)\n"
        "def gen(n): yield n\n"
        "def fun(n): return lambda: n\n"
        "def many(*n): return n\n"
        "seen = 0\n"
        "def count():\n    global seen\n    seen += 1\n    return seen\n"
        "class Kin:\n    def same(self): return 1\n    def once(self): return 2\n"
        "class Other:\n    def same(self): return 3\n"
        "class Low(Kin):\n    def asked(self): return super().once()\n"
        "def case():\n    x = one()\n    y = two(x)\n    z = seen + count()\n"
        "    got = [x, y, z, rec(2), list(gen(1)), fun(4)(), many(1, 2), Other().same()]\n"
        "    return [got, Low().asked(), getattr(Kin(), 'same')()]"
    ),
}


def sources_of(text: str) -> dict[str, str]:
    head = "log = []\ndef said(what):\n    log.append(what)\n    return what\n"
    tail = "\ndef run(): return [case(), log, case()]\n"
    return {"edge": "", "edge.core": "", "edge.app": "", "edge.app.start": head + text + tail}


@pytest.mark.parametrize("name", CASES)
def test_what_stands_where_it_is_called_does_the_same(tmp_path: Path, name: str):
    sources = sources_of(CASES[name])
    apart = run_apart(tmp_path / "apart", sources)
    assert run_joined(tmp_path / "joined", sources) == apart


def placed(sources: dict[str, str]) -> tuple[dict[str, Joined], dict[str, list[str]]]:
    return inline(as_one(reach(fold(join(sources, ENTRIES)), KEPT)), KEPT)


def left_of(sources: dict[str, str]) -> list[str]:
    joined, _ = placed(sources)
    functions = [
        node.name.rpartition(":")[2]
        for node in ast.walk(joined["app"].tree)
        if isinstance(node, ast.FunctionDef)
    ]
    return sorted(set(functions) - {"run", "said", "case"})


LEFT = {
    "guards": ["one"],
    "what is first": ["late", "never"],
    "nested": ["row"],
    "methods": ["__init__", "go"],
    "what stays": ["asked", "count", "fun", "gen", "many", "one", "rec", "same"],
}


@pytest.mark.parametrize("name", CASES)
def test_it_stands_there_unless_it_might_do_something_else(name: str):
    assert left_of(sources_of(CASES[name])) == LEFT.get(name, [])


def test_what_stands_where_is_told():
    _, told = placed(sources_of(CASES["nested"]))
    start = "edge.app.start"
    assert set(told) == {f"{start}:row"}
    assert sorted(told[f"{start}:row"]) == [
        f"{start}:{name}" for name in ("a", "a2", "b", "c", "d", "d2", "e", "said")
    ]
    names = tell_inside(
        {"app": {"abs": ["edge.app.start.row"], "all": ["edge.app.start.x"]}}, told
    )
    assert "edge.app.start.d2" in names["app"]["abs"] and len(names["app"]["all"]) == 1
