"""MicroPython's WebAssembly build, made to collect garbage as a board does: when the heap is full.

The stock build can't: a pointer may live in a WebAssembly local, which no collector sees, so it
lets the heap grow and collects when Python returns to JavaScript. Here every local that may be a
pointer is spilled to the C stack around each call (Binaryen's spill-pointers pass), and the
collector scans that stack too. The heap never grows.
"""

import hashlib
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from hil_tests.micropython.prerequisite import NODE_MODULES, require_command, require_node_package

FEATURES = (
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-multivalue",
    "--enable-reference-types",
)

#: gc_get_max_new_split(): how far the heap may grow.
_GROWTH = "(i32.const 134217728)"
_NO_GROWTH = "(i32.const 0)"

#: gc_collect(): asks for a collection later.
_ASKING = """(func ${collect}
  (i32.store8 offset={asked}
   (i32.const 0)
   (i32.const 1)
  )
 )"""
#: gc_collect_start() marks from the roots and from the Python stack, whose bounds are two words of
#: the state. A second call with the bounds of the C stack marks from there; whether the first
#: one's mark stack overflowed has to outlive it.
_COLLECTING = """(func ${collect}
  (local $overflow i32) (local $first i32) (local $next i32)
  (call ${start})
  (local.set $overflow (i32.load (i32.const {overflow})))
  (local.set $first (i32.load (i32.const {first})))
  (local.set $next (i32.load (i32.const {next})))
  (i32.store (i32.const {first}) (global.get $__stack_pointer))
  (i32.store (i32.const {next}) (i32.const 65536))
  (call ${start})
  (i32.store (i32.const {first}) (local.get $first))
  (i32.store (i32.const {next}) (local.get $next))
  (i32.store
   (i32.const {overflow})
   (i32.or (local.get $overflow) (i32.load (i32.const {overflow})))
  )
  (call ${end})
 )"""


class Build(NamedTuple):
    """One release, and where its parts are: another one has to be read anew.

    collect, start, end: the numbers of gc_collect(), gc_collect_start() and gc_collect_end();
    asked: the byte that asks for a collection; state: of the interpreter, which begins with the
    bounds of the Python stack; overflow: of the mark stack, from there.
    """

    package: str
    sha256: str
    collect: int
    asked: int
    start: int
    end: int
    state: int
    overflow: int

    def fill(self, text: str) -> str:
        """A text above with the numbers of this release."""
        words = {"first": self.state + 8, "next": self.state + 16}
        words["overflow"] = self.state + self.overflow
        for name, value in {**self._asdict(), **words}.items():
            text = text.replace("{" + name + "}", str(value))
        return text


#: The oldest firmware that a gateway runs on.
OLDEST = Build(
    "@micropython/micropython-webassembly-pyscript",
    "06338c955b03c5700aa0069015d3e392d76836ef8e2ce25bedbe59b88ccd373c",
    collect=1218,
    asked=186124,
    start=18,
    end=20,
    state=185108,
    overflow=416,
)
#: The first releases of this port that can run .mpy files in place, from a ROMFS image, are later.
WITH_ROM = Build(
    "micropython-with-rom",
    "d5913c9327072e71d3e7a2e9384ea326f7d784bcc2f50a01b602c52bd2bdcafd",
    collect=1263,
    asked=189148,
    start=18,
    end=21,
    state=188108,
    overflow=440,
)


def collecting_interpreter(build: Build = OLDEST) -> Path:
    """The file of the changed build, made when it is first needed."""
    stock = require_node_package(build.package) / "micropython.wasm"
    require_node_package("binaryen")
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    made = NODE_MODULES / f"collecting-{recipe}-{build.sha256[:8]}.wasm"
    if not made.is_file():
        found = hashlib.sha256(stock.read_bytes()).hexdigest()
        assert found == build.sha256, f"another MicroPython than the recipe is for: {found}"
        with tempfile.TemporaryDirectory(dir=NODE_MODULES) as folder:
            _make(build, stock, Path(folder)).replace(made)
    return made


def _make(build: Build, stock: Path, folder: Path) -> Path:
    text, changed, made = folder / "stock.wat", folder / "changed.wat", folder / "made.wasm"
    _binaryen("wasm-dis", str(stock), *FEATURES, "-o", str(text))
    changed.write_text(_change(build, text.read_text()))
    _binaryen("wasm-opt", str(changed), *FEATURES, "--spill-pointers", "-o", str(made))
    return made


def _change(build: Build, text: str) -> str:
    replaced = ((_GROWTH, _NO_GROWTH), (build.fill(_ASKING), build.fill(_COLLECTING)))
    for old, new in replaced:
        assert text.count(old) == 1, f"{text.count(old)} times in the build: {old}"
        text = text.replace(old, new)
    # The pass looks for the stack pointer by this name.
    for end in (" ", ")", "\n"):
        text = text.replace("$global$0" + end, "$__stack_pointer" + end)
    return text


def _binaryen(tool: str, *arguments: str) -> None:
    command = [require_command("node"), str(NODE_MODULES / "binaryen" / "bin" / tool), *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{tool}: {done.stderr[:1000]}"
