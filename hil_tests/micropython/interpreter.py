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

from hil_tests.micropython.prerequisite import NODE_MODULES, require_command, require_node_package

PACKAGE = "@micropython/micropython-webassembly-pyscript"
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
_ASKING = """(func $1218
  (i32.store8 offset=186124
   (i32.const 0)
   (i32.const 1)
  )
 )"""
#: gc_collect_start() marks from the roots and from the Python stack, whose bounds are two words of
#: the state. A second call with the bounds of the C stack marks from there; whether the first
#: one's mark stack overflowed has to outlive it. $18: gc_collect_start, $20: gc_collect_end.
_COLLECTING = """(func $1218
  (local $overflow i32) (local $first i32) (local $next i32)
  (call $18)
  (local.set $overflow (i32.load (i32.const 185524)))
  (local.set $first (i32.load (i32.const 185116)))
  (local.set $next (i32.load (i32.const 185124)))
  (i32.store (i32.const 185116) (global.get $__stack_pointer))
  (i32.store (i32.const 185124) (i32.const 65536))
  (call $18)
  (i32.store (i32.const 185116) (local.get $first))
  (i32.store (i32.const 185124) (local.get $next))
  (i32.store (i32.const 185524) (i32.or (local.get $overflow) (i32.load (i32.const 185524))))
  (call $20)
 )"""
#: The numbers above are those of this build; another one has to be read anew.
_BUILD_SHA256 = "06338c955b03c5700aa0069015d3e392d76836ef8e2ce25bedbe59b88ccd373c"


def collecting_interpreter() -> Path:
    """The file of the changed build, made when it is first needed."""
    stock = require_node_package(PACKAGE) / "micropython.wasm"
    require_node_package("binaryen")
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]
    made = NODE_MODULES / f"collecting-{recipe}.wasm"
    if not made.is_file():
        found = hashlib.sha256(stock.read_bytes()).hexdigest()
        assert found == _BUILD_SHA256, f"another MicroPython than the recipe is for: {found}"
        with tempfile.TemporaryDirectory(dir=NODE_MODULES) as folder:
            _build(stock, Path(folder)).replace(made)
    return made


def _build(stock: Path, folder: Path) -> Path:
    text, changed, made = folder / "stock.wat", folder / "changed.wat", folder / "made.wasm"
    _binaryen("wasm-dis", str(stock), *FEATURES, "-o", str(text))
    changed.write_text(_change(text.read_text()))
    _binaryen("wasm-opt", str(changed), *FEATURES, "--spill-pointers", "-o", str(made))
    return made


def _change(text: str) -> str:
    for old, new in ((_GROWTH, _NO_GROWTH), (_ASKING, _COLLECTING)):
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
