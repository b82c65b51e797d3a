"""What stays in memory is one module, without what one overlay alone names."""

import ast
from pathlib import Path

import pytest

from edge.app.cli.build_fold import fold
from edge.app.cli.build_groups import OVERLAYS
from edge.app.cli.build_join import join
from edge.app.cli.build_lean import as_one, sink
from edge.app.cli.build_reach import reach

from .test_build_names import ENTRIES, KEPT, run_apart, run_joined

SOURCES = {
    "edge": "",
    "edge.core": "",
    "edge.core.sums": """
calls = 0
def both(n): return sum([n, 1])
def inner(n): return sum([n, 2]) + inner_most(n)
def inner_most(n):
    while n > 9: n -= 1
    return n
def counted(n):
    global calls
    calls += n
    return calls
""",
    "edge.app": "",
    "edge.app.early": """
from edge.core.sums import both, counted, inner
def begin(n): return [both(n), inner(n), inner(n + 1), counted(1), counted(2)]
""",
    "edge.app.late": "from edge.core.sums import both\ndef end(n): return both(n)\n",
    "edge.app.start": """
def run():
    from edge.app.early import begin
    from edge.app.late import end
    return [begin(3), begin(30), end(4)]
""",
}


@pytest.fixture(autouse=True)
def overlays(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(OVERLAYS, "early", ("edge.app.early",))
    monkeypatch.setitem(OVERLAYS, "late", ("edge.app.late",))


def test_a_function_that_one_overlay_names_is_in_it_unless_it_has_state():
    joined = sink(as_one(reach(fold(join(SOURCES, ENTRIES)), KEPT)), KEPT)
    has = {
        group: {node.name.split(":")[1] for node in part.tree.body if hasattr(node, "name")}
        for group, part in joined.items()
    }
    assert has == {
        "app": {"both", "counted", "run"},
        "early": {"begin", "inner", "inner_most"},
        "late": {"end"},
    }
    assert joined["app"].needed == [] and len(joined["early"].needed) == 2
    assert not any(isinstance(node, ast.ImportFrom) for node in joined["app"].tree.body)


def test_it_does_the_same_there(tmp_path: Path):
    apart = run_apart(tmp_path / "apart", SOURCES)
    assert run_joined(tmp_path / "joined", SOURCES) == apart
