"""What nothing in a device's program reaches is left out of it, told by names' meanings."""

import ast

from edge.app.cli.build_fold import fold
from edge.app.cli.build_join import join
from edge.app.cli.build_reach import reach

from .test_build_names import ENTRIES, KEPT

SOURCES = {
    "edge": "",
    "edge.core": "",
    "edge.core.sums": """
import re
import struct
from collections import namedtuple
Spot = namedtuple("Spot", ("left", "right"))
ORIGIN = Spot(0, 1)
RULES = {"low": Spot(1, 2), "high": ORIGIN}
calls = 0
def check(value): return re.compile(value)
def spare(value): return struct.pack("B", check(value))
TABLE = {"spare": spare}
def used(value):
    check = value + len(RULES)
    return check
def counted():
    global calls
    calls += 1
    return used(1)
class Base: pass
class Kept(Base):
    def __len__(self): return used(4)
    def asked(self): return 1
    def never(self): return spare(2)
    def texted(self): return 3
class Lost:
    def asked(self): return spare(3)
""",
    "edge.app": "",
    "edge.app.start": """
from edge.core import sums
def run(): return [sums.counted(), len(sums.Kept()), getattr(sums.Kept(), "texted")()]
def other(asked): return sums.Lost().never() + asked
""",
}


def test_a_function_is_reached_by_its_own_name_a_method_by_any_attribute_called_like_it():
    joined = reach(fold(join(SOURCES, ENTRIES)), KEPT)
    text = {name: ast.unparse(part.tree) for name, part in joined.items()}
    for name in ("sums:used", "sums:Base", "sums:RULES", "sums:ORIGIN", "sums:calls", "texted"):
        assert name in text["core"], name
    for name in ("check(", "spare", "TABLE", "Lost", "never", "import re", "import struct"):
        assert name not in text["core"], name
    assert "attr:asked" not in text["core"], "only an argument is called like it"
    assert "other" not in text["app"] and joined["app"].needed == [
        "edge.core.sums:Kept",
        "edge.core.sums:counted",
    ]
