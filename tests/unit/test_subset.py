"""What ships to the device stays inside MicroPython 1.27 and inside its flash budget."""

import ast
import sys
from pathlib import Path

import pytest

from hil_tests.micropython.device import run_mpy_cross

from .house_rules import CORE_STDLIB, is_command_line, within
from .source_tree import ROOT, Module, imports_of, read_modules
from .subset_rules import CORE_RULES, RULES, broken_rules, packs

#: Modules of edge/app that only Linux runs; everything else there ships to the device too.
LINUX_ONLY: tuple[str, ...] = ("edge.app.service",)
#: The words of the errors: the page that a device serves has them, the device has the codes. And
#: what a device cannot make: its zlib only inflates.
HOST_ONLY = ("edge.core.errors.table", "edge.core.errors.rows", "edge.core.sync.deflated")
#: They check the range of every value before it is packed.
PACKERS = (
    "edge.core.bus.rtu",
    "edge.core.numbers.pack",
    "edge.core.numbers.words",
    "edge.core.sync.batch",
)
#: Built into the stock ESP32 firmware. Linux has no machine, network or micropython: esp32 only.
DEVICE_STDLIB = (*CORE_STDLIB, "gc", "io", "json", "os", "select", "socket", "ssl", "sys", "time")
BOARD_ONLY = ("esp", "esp32", "machine", "micropython", "network", "uctypes")
#: What looks for, names and questions stations: a board that only polls goes without.
TOOLS = "edge.core.field"
TOOL_BYTES = 24 * 1024


def ships(name: str) -> bool:
    """True for a module that is copied to the device."""
    if within(name, HOST_ONLY):
        return False
    if name in ("edge", "edge.app") or within(name, ("edge.core", "edge.ports.esp32")):
        return True
    if name == "edge.ports" or name.startswith("edge.ports.") and name.count(".") == 2:
        return name not in ("edge.ports.linux", "edge.ports.sim")
    return (
        within(name, ("edge.app",)) and not is_command_line(name) and not within(name, LINUX_ONLY)
    )


def allowed(module: str, target: str, guarded: bool) -> bool:
    """True if the device has what a shipped module imports, or the module does without."""
    if within(target, ("edge",)):
        return ships(target)
    top = target.partition(".")[0]
    if within(module, ("edge.core",)):
        return top in CORE_STDLIB or guarded
    board = BOARD_ONLY if within(module, ("edge.ports.esp32",)) else ()
    return top in DEVICE_STDLIB + board or guarded


def wrong_imports(module: Module, known: dict[str, Module]) -> list[str]:
    return [
        f"{item.line}: import of {item.target}"
        for item in imports_of(module, known)
        if not item.typing_only and not allowed(module.name, item.target, item.guarded)
    ]


def complaints(module: Module, known: dict[str, Module]) -> list[str]:
    rules = dict(RULES)
    if within(module.name, ("edge.core",)):
        rules.update(CORE_RULES)
    if module.name not in PACKERS:
        rules["struct.pack outside the packers"] = packs
    return broken_rules(module.tree, rules) + wrong_imports(module, known)


MODULES = read_modules(ROOT, ("edge",))
SHIPPED = sorted(name for name in MODULES if ships(name))


def test_the_device_gets_what_it_runs():
    assert {"edge", "edge.core.errors", "edge.ports", "edge.app"} <= set(SHIPPED)
    assert not [name for name in SHIPPED if within(name, ("edge.ports.linux",))]
    assert set(LINUX_ONLY) <= set(MODULES)


@pytest.mark.parametrize("name", SHIPPED)
def test_module_is_in_the_subset(name: str):
    found = complaints(MODULES[name], MODULES)
    assert not found, "\n" + "\n".join(found)


def compile_for_device(source: Path, target: Path) -> int:
    """The size of a source's .mpy in bytes; an error of mpy-cross is a failure.

    The name that goes into the file is the last part only: a size must not depend on where
    the checkout lies.
    """
    names = ["-s", source.name, "-o", str(target)]
    status, said = run_mpy_cross("-O3", *names, str(source))
    assert status == 0, f"{source}: {said[-2000:]}"
    return target.stat().st_size


def test_every_shipped_module_compiles_and_the_tools_fit(tmp_path: Path):
    """What a program in one piece takes is bounded where it is built."""
    sizes = {
        name: compile_for_device(MODULES[name].path, tmp_path / f"{name}.mpy") for name in SHIPPED
    }
    assert sum(size for name, size in sizes.items() if within(name, (TOOLS,))) <= TOOL_BYTES


@pytest.mark.parametrize("name", SHIPPED)
def test_polling_does_without_the_tools(name: str):
    """A board without them has all that the gateway imports."""
    reached = {item.target for item in imports_of(MODULES[name], MODULES) if not item.typing_only}
    tool_side = within(name, (TOOLS,)) or name in ("edge.app.line_session", "edge.app.trace")
    assert tool_side or not [target for target in reached if within(target, (TOOLS,))]


def test_what_does_not_compile_is_seen(tmp_path: Path):
    source = tmp_path / "bad.py"
    source.write_text("x = [*a, 1]\n")
    with pytest.raises(AssertionError, match=r"bad\.py"):
        compile_for_device(source, tmp_path / "bad.mpy")


BAD = [
    ("match", "match x:\n    case 1:\n        pass"),
    ("except*", "try:\n    pass\nexcept* ValueError:\n    pass"),
    ("positional-only parameter", "def f(a, /):\n    pass"),
    ("star in a display", "x = [*a, 1]"),
    ("star in a display", "def f():\n    return 1, *b"),
    ("{**mapping}", "x = {**d}"),
    ("raise ... from", "raise ValueError from error"),
    ("!conversion in an f-string", "x = f'{a!r}'"),
    ("lambda in an f-string", "x = f'{(lambda: 1)()}'"),
    ("async comprehension", "async def f():\n    return [x async for x in y]"),
    ("to_bytes or from_bytes beyond (value, order)", "x.to_bytes(2, 'big', signed=True)"),
    ("to_bytes or from_bytes beyond (value, order)", "int.from_bytes(b, 'big', True)"),
    ("to_bytes or from_bytes beyond (value, order)", "x.to_bytes(2)"),
    ("sort without key", "x.sort()"),
    ("sort without key", "x = sorted(y, reverse=True)"),
    ("type expression outside an annotation", "x = int | None"),
    ("type expression outside an annotation", "isinstance(x, int | str)"),
    ("type expression outside an annotation", "X = list[int]"),
    ("const() under an underscore name in a class", "class A:\n    _X = const(3)"),
    ("second base class or class keyword", "class A(B, OSError):\n    pass"),
    ("second base class or class keyword", "class A(metaclass=M):\n    pass"),
    ("explicit __init__ of a builtin", "Exception.__init__(self, 1)"),
    ("private double underscore", "self.__x = 1"),
    ("refused keyword", "zip(a, b, strict=True)"),
    ("refused keyword", "json.dumps(x, sort_keys=True)"),
    ("del of a slice", "del b[:3]"),
    ("slice step", "x = b[::2]"),
    ("deque without (iterable, maxlen)", "x = deque()"),
    ("name MicroPython lacks", "try:\n    pass\nexcept TimeoutError:\n    pass"),
    ("name MicroPython lacks", "x = digest.hexdigest()"),
    ("name MicroPython lacks", "try:\n    pass\nexcept struct.error:\n    pass"),
    ("float literal", "x = 1e3"),
    ("true division", "x = a / b"),
    ("true division", "x /= 2"),
    ("float()", "x = float(y)"),
    ("struct.pack outside the packers", "x = struct.pack('>H', y)"),
    ("struct.pack outside the packers", "from struct import pack_into"),
    ("import of time", "import time"),
    ("import of __future__", "from __future__ import annotations"),
    ("import of edge.ports.linux.tcp", "import edge.ports.linux.tcp"),
]


def from_text(name: str, text: str) -> Module:
    return Module(name, Path("x.py"), ast.parse(text), False)


@pytest.mark.parametrize(("rule", "text"), BAD)
def test_a_broken_rule_is_named(rule: str, text: str):
    found = complaints(from_text("edge.core.x", text), MODULES)
    assert rule in [line.partition(": ")[2] for line in found]


def test_every_rule_has_its_bad_snippet():
    shown = {rule for rule, _ in BAD}
    # Python 3.11 cannot even parse this one, so no snippet of it can be read there.
    assert set(RULES) | set(CORE_RULES) == {
        rule for rule in shown if not rule.startswith(("import", "struct"))
    } | {"type alias or type parameter"}


@pytest.mark.parametrize("text", ["type X = int", "def f[T](x: T) -> T:\n    return x"])
def test_new_type_syntax_is_refused_by_old_python_and_named_by_new(text: str):
    try:
        tree = ast.parse(text)
    except SyntaxError:
        assert sys.version_info < (3, 12)
    else:
        assert broken_rules(tree, RULES)


@pytest.mark.parametrize(
    "text",
    [
        "def f(a: 'int | None', *, b: list[int] | None = 1) -> int | None:\n    x: int | None = a",
        "a, *b = x\nf(*b, **c)\ny = [i for i in b]",
        "x = f'{a:04x} {b}'\nx.to_bytes(2, 'big')\nint.from_bytes(b, 'big')",
        "x.sort(key=lambda p: (p.address, p.name))\nx = a // b | 1\nx = deque((), 5)",
        "_X = const(3)\nclass A(B):\n    Y = const(3)\n    def __init__(self):\n"
        "        super().__init__()\n        self._x = 1",
        "import struct\nx = struct.unpack('>H', y)\nfrom edge.core.errors import BusError",
        "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    from typing import Protocol",
    ],
)
def test_the_subset_itself_passes(text: str):
    assert complaints(from_text("edge.core.x", text), MODULES) == []


def test_a_board_module_may_touch_the_board():
    text = "import machine, time, json\nx = 1.5 / 2"
    assert complaints(from_text("edge.ports.esp32.uart", text), MODULES) == []
    assert complaints(from_text("edge.app.gateway", text), MODULES) == ["1: import of machine"]
