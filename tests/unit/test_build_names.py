"""A device's program, joined and with short names, does what its modules do; CPython runs both."""

import ast
import importlib
import json
import random
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from edge.app.cli.build_expressions import express
from edge.app.cli.build_fold import fold
from edge.app.cli.build_inline import inline
from edge.app.cli.build_join import Joined, join
from edge.app.cli.build_lean import as_one, sink, without_origins
from edge.app.cli.build_names import shorten
from edge.app.cli.build_reach import reach
from edge.app.cli.build_words import BUILT_IN, FIRMWARE
from edge.core.errors import ConfigError

ENTRIES = ("edge.app.start",)
KEPT = ("edge.app.start:run",)

#: Names that mean something else wherever they occur, most of them also of built-in types.
SOURCES = {
    "edge": "VERSION = 'v1'\n",
    "edge.core": "",
    "edge.core.errors": """
class TallyError(Exception):
    def __init__(self, code, **fields):
        super().__init__(code)
        self.code = code
        self.fields = fields
class DataError(TallyError): pass
""",
    "edge.core.sums": """
from collections import namedtuple
from edge.core.errors import DataError
LIMIT = 5
_value = 2
HIGH = LIMIT << 8 | 1
HUGE = -(1 << 40)
WORDS = "a text of many characters"
class Kind:
    POLL = 1
    EVENT = POLL + 1
    spare = 7
Point = namedtuple("Point", ("name", "scale", "offset"))
def scale(value, offset=1):
    total = value * _value + offset
    if total > LIMIT * 20: raise DataError("data.range", value=value, offset=offset, what="sum")
    return total
class Counter:
    step = 3
    def __init__(self, value): self.value, self._kept = value, [value]
    def read(self): return self.value
    def count(self, *, step=step):
        self.value += step
        self._kept.append(self.value)
        return self
    @property
    def last(self): return self._kept[-1]
    def oldest(self): return getattr(self, "_kept")[0]
""",
    "edge.core.late": "from edge.core.sums import scale\ndef later(n): return scale(n) - 1\n",
    "edge.app": "",
    "edge.app.knobs": """
CHUNK = 4
def chunks(data): return [data[at:at + CHUNK] for at in range(0, len(data), CHUNK)]
""",
    "edge.app.start": """
import io
import edge.app.knobs
from edge import VERSION
from edge.core import sums
from edge.core.errors import DataError, TallyError
from edge.core.sums import Counter, Point as Spot
_value = "another"
class Wide(Counter):
    step = 10
    def read(self): return super().read() + sums.LIMIT
    def __len__(self): return len(self._kept)
def _tune(): edge.app.knobs.CHUNK = 2
def run():
    from edge.core.late import later
    said = [sums.HIGH, sums.HUGE, sums.HUGE, sums.WORDS, sums.Kind.EVENT, sums.Kind().spare]
    said += [VERSION, _value, later(4), sums.scale(value=3, offset=sums._value)]
    wide = Wide(1)
    said += [wide.count().count(step=4).read(), wide.last, len(wide), wide.step, wide.oldest()]
    spot = Spot("a", offset=2, scale=7)
    said += [spot.name, spot.scale, tuple(spot), [spot.offset for spot in (spot, spot)]]
    said.append(edge.app.knobs.chunks("abcdef"))
    _tune()
    said.append(edge.app.knobs.chunks("abcdef"))
    buffer = io.BytesIO(b"xyz")
    said.append(buffer.read(2).decode())
    try: sums.scale(10 ** 3)
    except TallyError as error: said += [error.code, sorted(error.fields.items())]
    def close(value): return lambda count: count + value + sums.LIMIT
    said += [close(1)(2), sorted([3, 1], key=lambda value: -value), isinstance(wide, Counter)]
    try:
        from edge.core.absent import never
        said.append(never())
    except ImportError: said.append("absent")
    return said
""",
}


def run_apart(folder: Path, sources: dict[str, str]) -> object:
    """What `run` of modules gives that lie in their files, under another root than ours."""
    packages = {name.rpartition(".")[0] for name in sources}
    for name, text in sources.items():
        place = folder.joinpath(*name.replace("edge", "apart", 1).split("."))
        place = place / "__init__.py" if name in packages else place.with_suffix(".py")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text.replace("edge", "apart"))
    return run_from(folder, "apart.app.start", ("apart",))


def made_short(sources: dict[str, str]) -> dict[str, Joined]:
    joined = reach(fold(join(sources, ENTRIES)), KEPT)
    shorten(joined, KEPT)
    return joined


def run_joined(folder: Path, sources: dict[str, str]) -> object:
    """What it gives once they are joined as on a device, and their names short."""
    folder.mkdir()
    joined, _ = inline(as_one(reach(fold(join(sources, ENTRIES)), KEPT)), KEPT)
    joined = sink(express(joined, KEPT), KEPT)
    shorten(joined, KEPT)
    for name, part in joined.items():
        (folder / f"{name}.py").write_text(ast.unparse(without_origins(part.tree)))
    return run_from(folder, "app", ("core", "app", "early", "late"))


def run_from(folder: Path, module: str, roots: tuple[str, ...]) -> object:
    with importing_from(folder, roots):
        return json.loads(json.dumps(importlib.import_module(module).run()))


@contextmanager
def importing_from(folder: Path, roots: tuple[str, ...]) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        for name in [name for name in sys.modules if name.split(".")[0] in roots]:
            del sys.modules[name]


def test_joined_modules_do_what_they_did_apart(tmp_path: Path):
    apart = run_apart(tmp_path / "apart", SOURCES)
    assert run_joined(tmp_path / "joined", SOURCES) == apart
    assert isinstance(apart, list) and apart[-1] == "absent" and len(apart) == 28


def text_of(sources: dict[str, str]) -> str:
    joined = made_short(sources)
    return "\n".join(ast.unparse(part.tree) for part in joined.values())


def test_names_of_ours_are_gone_and_all_others_are_there():
    text = text_of(SOURCES)
    for word in ("later", "Wide", "Counter", "LIMIT", "_tune", "chunks", "oldest", "last"):
        assert word not in text, word
    for word in (
        "_kept",
        "fields__",
        "code",
        "'data.range'",
        "value=",
        "offset=",
        "what=",
        "read",
    ):
        assert word in text, word
    assert text == text_of(SOURCES)


def test_constants_go_where_they_are_named_unless_they_are_set_again_or_take_an_object():
    text = text_of(SOURCES)
    assert "[1281, " in text and "'a text of many characters', 2, " in text
    assert text.count("1 << 40") == 1, "read twice, kept once"
    assert text.count("spare") == 0 and "POLL" not in text and "EVENT" not in text
    assert "global" in text and text.count(" = 4\n") == 1, "what is set again stays"


def test_what_the_names_stand_for_is_told_methods_by_their_class():
    told = shorten(fold(join(SOURCES, ENTRIES)), KEPT)
    of_core = [name for names in told["core"].values() for name in names]
    assert "edge.core.sums.scale" in of_core and "edge.core.sums.Counter.oldest" in of_core
    assert told["app"]["run"] == ["edge.app.start.run"]
    assert told["core"]["read"] == ["edge.core.sums.Counter.read"]
    assert ["fields"] in told["attributes"].values()


@pytest.mark.parametrize(
    ("module", "text", "reason"),
    [
        ("edge.core.extra", "import edge.app.knobs\nx = edge.app.knobs.CHUNK\n", "may not need"),
        ("edge.core.extra", "from edge.core import sums\nx = [sums]\n", "is a module"),
        (
            "edge.core.extra",
            "from edge.core.sums import nothing\nnothing()\n",
            "not in the program",
        ),
        ("other.late", "x = 1\n", "no part"),
    ],
)
def test_modules_that_can_not_be_joined_are_refused(module: str, text: str, reason: str):
    with pytest.raises(ConfigError) as caught:
        join({**SOURCES, module: text}, (*ENTRIES, module))
    assert reason in str(caught.value.fields["reason"])


#: Few, so that every name means several things.
POOL = ("a", "b", "read", "value", "_x", "pop", "aa", "size")


def made_sources(chance: random.Random) -> dict[str, str]:
    """Modules in which constants, functions, classes, arguments and locals share a few names."""
    text: dict[str, str] = {"edge": "", "edge.core": "", "edge.app": ""}
    known: list[tuple[str, str, str]] = []
    for module in ("edge.core.m0", "edge.core.m1", "edge.app.m2", "edge.app.m3"):
        lines, own = [], {}
        for name in chance.sample(POOL, 6):
            source = [item for item in known if chance.random() < 0.5]
            if source and chance.random() < 0.4:
                at, other, kind = chance.choice(source)
                lines.append(f"from {at} import {other} as {name}")
            else:
                kind = chance.choice(("constant", "function", "class"))
                lines.append(definition(chance, kind, name, own))
            own[name] = kind
        known += [(module, name, kind) for name, kind in own.items()]
        text[module] = "\n".join(lines) + "\n"
    calls = [f"use({module}.{name}, {kind!r})" for module, name, kind in known]
    imports = sorted({f"import {module}" for module, _, _ in known})
    use = """
def use(thing, kind):
    if kind == "constant": return thing
    if kind == "function": return [thing(3), thing(4, 5)]
    made = thing(7)
    return [made.go(2), made.go(second=9, first=1), thing(8).go(0)]
"""
    run = "def run(): return [" + ", ".join(calls) + "]\n"
    text["edge.app.start"] = "\n".join(imports) + use + run
    return text


def definition(chance: random.Random, kind: str, name: str, own: dict[str, str]) -> str:
    constants = [other for other, given in own.items() if given == "constant"] or ["len(POOL)"]
    constant = chance.choice(constants).replace("len(POOL)", "8")
    one, two, three = (chance.choice(POOL) for _ in range(3))
    if kind == "constant":
        return f"{name} = {constant} + {chance.randrange(9)}"
    if kind == "function":
        first, second, three = chance.sample(POOL, 3)
        return f"""
def {name}({first}, {second}={constant}):
    inner = lambda {one}: {one} + {first}
    rest = [{two} * {second} for {two} in range(3)]
    def {three}(): return inner({second}) + sum(rest)
    return {three}()"""
    return f"""
class {name}:
    {one} = {constant}
    def __init__(self, {two}): self.{three}_ = {two} + self.{one}
    def go(self, first, second=1):
        {two} = first - second
        return [self.{three}_, {two}, sorted([3, 1, 2], key=lambda {one}: -{one})]"""


@pytest.mark.parametrize("seed", range(40))
def test_whatever_the_names_are_it_does_the_same(tmp_path: Path, seed: int):
    sources = made_sources(random.Random(seed))
    assert run_joined(tmp_path / "joined", sources) == run_apart(tmp_path / "apart", sources)


def test_words_of_builtin_types_and_of_the_firmware_are_known():
    for word in ("append", "read", "settimeout", "digest", "decode", "args", "popleft"):
        assert word in BUILT_IN, word
    for word in ("readblocks", "set_blob", "isconnected", "deinit", "rxbuf", "feed", "ipoll"):
        assert word in FIRMWARE, word


def test_names_in_rom_mean_several_things_and_nothing_that_python_asks_for():
    text = text_of(SOURCES)
    words = set(re.findall(r"[A-Za-z_]\w*", text))
    assert {"abs", "all", "upper"} <= words, "globals from the front, attributes from the end"
    assert not {"args", "errno", "write", "throw"} & words
    assert set(re.findall(r"\b[a-zA-Z]\b", text)) == {"a", "b"}, "of texts alone"
