"""What only runs at times is a module of its own, and goes; CPython runs it apart and joined."""

import ast
from pathlib import Path

import pytest

from edge.app.cli.build_fold import fold
from edge.app.cli.build_groups import OVERLAYS
from edge.app.cli.build_join import join
from edge.app.cli.build_names import shorten
from edge.app.cli.build_reach import reach
from edge.app.cli.build_static import STATIC
from edge.core.errors import ConfigError

from .test_build_names import ENTRIES, KEPT, made_short, run_apart, run_joined

#: Both overlays are asked for by one who stays, and one of them by the other.
GROUPS = {"early": ("edge.app.early", "edge.core.scan"), "rarely": ("edge.app.mend",)}
SOURCES = {
    "edge": "",
    "edge.core": "",
    "edge.core.sums": """
LIMIT = 5
class Sum:
    def __init__(self, value): self.value = value
    def scan(self, values):
        from edge.core.scan import scanned
        return scanned(self, values)
""",
    "edge.core.scan": """
from edge.core.sums import LIMIT
seen = [1]
def scanned(sum, values):
    return [sum.value + LIMIT * value for value in values]
""",
    "edge.app": "",
    "edge.app.early": """
from edge.core.scan import scanned
from edge.core.sums import LIMIT, Sum
from edge.app.start import Kept
def begin(value):
    from edge.app.mend import mend as repair
    made = Kept(Sum(value))
    return made, scanned(made.sum, [LIMIT]), repair(made)
class Probe:
    def look(self): return LIMIT + 1
""",
    "edge.app.mend": "def mend(kept):\n    kept.mended = True\n    return kept.sum.value\n",
    "edge.app.start": """
from edge.core.sums import Sum
class Kept:
    mended = False
    def __init__(self, sum): self.sum = sum
def run():
    import sys
    from edge.app.early import Probe, begin
    made, *rest = begin(7)
    said = [isinstance(made, Kept), made.mended, rest, Sum(2).scan([1, 2]), Probe().look()]
    if rest:
        from edge.app.mend import mend
        said += [(lambda given: mend(given))(made), "early" in sys.modules]
    return said
""",
}


@pytest.fixture(autouse=True)
def groups(monkeypatch: pytest.MonkeyPatch):
    for group, modules in GROUPS.items():
        monkeypatch.setitem(OVERLAYS, group, modules)


def test_overlays_do_what_their_modules_did_apart(tmp_path: Path):
    apart = run_apart(tmp_path / "apart", SOURCES)
    assert apart == [True, True, [[32], 7], [7, 12], 6, 7, False]
    joined = run_joined(tmp_path / "joined", SOURCES)
    assert joined == apart


def test_what_stays_imports_an_overlay_where_it_needs_it_and_drops_it():
    joined = reach(fold(join(SOURCES, ENTRIES)), KEPT)
    told = shorten(joined, KEPT)
    made = {name: ast.unparse(part.tree) for name, part in joined.items()}
    assert list(made) == ["core", "app", "early", "rarely"]
    for name, overlay, given, local in (
        ("core", "early", "edge.core.scan.scanned", ""),
        ("app", "early", "edge.app.early.Probe", "Probe__, "),
        ("app", "early", "edge.app.early.begin", ""),
        ("app", "rarely", "edge.app.mend.mend", ""),
        ("early", "rarely", "edge.app.mend.mend", "repair__"),
    ):
        (short,) = [short for short, meant in told[overlay].items() if given in meant]
        assert short in STATIC and f"{short} as {local}" in made[name], made[name]
        assert f"from {overlay} import " in made[name]
        assert f"del modules__['{overlay}']" in made[name]
    assert "from app import" in made["early"] and "from core import" in made["early"]
    assert "from early" not in made["early"], "what is in the same overlay is there"


@pytest.mark.parametrize(
    ("module", "text", "reason"),
    [
        ("edge.app.extra", "from edge.app.early import begin\nx = begin\n", "only functions"),
        (
            "edge.core.extra",
            "import edge.core.scan\nx = edge.core.scan.scanned\n",
            "overlay early",
        ),
        (
            "edge.app.extra",
            "import edge.app.mend\ndef f(): edge.app.mend.mend(1)\n",
            "only functions import by name",
        ),
        (
            "edge.app.mend",
            "from edge.app.early import begin\ndef mend(kept): begin(kept)\n",
            "rarely may not need it",
        ),
        (
            "edge.app.mend",
            "import edge.core.sums\ndef mend(kept): edge.core.sums.LIMIT = 1\n",
            "rarely may not set it",
        ),
        (
            "edge.app.extra",
            "def f():\n    from edge.core.scan import seen\n    return seen\nf()\n",
            "functions and classes, no values",
        ),
    ],
)
def test_overlays_that_would_not_go_or_not_be_there_are_refused(
    module: str, text: str, reason: str
):
    with pytest.raises(ConfigError) as caught:
        made_short({**SOURCES, module: text})
    assert reason in str(caught.value.fields["reason"])
