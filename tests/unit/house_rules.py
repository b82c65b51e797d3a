"""Who may import whom, how long things may get, what may stand in the text; all by reading.

Each rule is a function from a tree of files to a list of complaints, "file:line: what".
"""

import ast
import re
import sys
from pathlib import Path

from .source_tree import (
    PACKAGES,
    Import,
    Module,
    find_cycle,
    imports_of,
    python_files,
    reachable,
    read_module,
)

#: layer -> the layers it may import. The longest matching name decides; data packages are leaves.
LAYERS: dict[str, tuple[str, ...]] = {
    "edge.core": ("edge.core",),
    "edge.profiles": ("edge.core", "edge.profiles"),
    "edge.factors": ("edge.core", "edge.factors"),
    "edge.ports": ("edge.core", "edge.ports"),
    "edge.app": ("edge.core", "edge.ports", "edge.app", "edge.profiles", "edge.factors"),
    "edge.ui": ("edge.core", "edge.ports", "edge.app", "edge.ui"),
    "edge.__main__": ("edge",),
    "edge": (),
    "cloud_sync": ("edge.core", "cloud_sync"),
    "boards": ("edge.core", "boards"),
    "hil_tests": PACKAGES,
}
PLATFORMS = ("edge.ports.linux", "edge.ports.esp32", "edge.ports.sim")
CORE_STDLIB = ("struct", "binascii", "collections", "hashlib", "array", "errno", "re")
TERMINAL = ("typer", "rich")
#: Packages with a home: nothing outside it may import them.
HOMES = {
    "msgpack": ("edge.core.numbers.pack", "cloud_sync.opening", "hil_tests"),
    "paho": ("cloud_sync", "hil_tests"),
    "serial": ("edge.ports.linux", "boards", "hil_tests"),
    "minimalmodbus": ("edge.ports.linux", "hil_tests"),
}
MODULE_LINES = 300
FUNCTION_LINES = 40
TEST_FUNCTION_LINES = 60
LINE_CHARS = 99
#: A word to a tool at the end of a line does not count; ruff sees it the same way.
PRAGMA = re.compile(r"\s*# (?:type: ignore|noqa).*$")
EMPTY_NAMES = ("utils", "util", "helpers", "helper", "common", "manager", "base", "misc")


def within(name: str, roots: tuple[str, ...]) -> bool:
    """True if dotted `name` is one of `roots` or lies below one."""
    return any(name == root or name.startswith(root + ".") for root in roots)


def layer_of(name: str) -> str:
    """The key of LAYERS a module belongs to, or words that are no key for an unknown room."""
    fitting = [layer for layer in LAYERS if layer != "edge" and within(name, (layer,))]
    if not fitting and name == "edge":
        return name
    return max(fitting, key=len) if fitting else f"unknown room {name}"


def is_command_line(name: str) -> bool:
    return any(part.startswith("cli") for part in name.split("."))


def wrong_imports(modules: dict[str, Module]) -> list[str]:
    """Imports that point against the arrows of the design, or to a package away from its home."""
    found: list[str] = []
    for module in modules.values():
        for item in imports_of(module, modules):
            reason = _first_party(module, item) or _third_party(module, item)
            if reason:
                found.append(f"{module.name}:{item.line}: imports {item.target}: {reason}")
    return found


def _first_party(module: Module, item: Import) -> str:
    if not within(item.target, PACKAGES):
        return ""
    layer = layer_of(module.name)
    if layer not in LAYERS:
        return "this package has no place in the design"
    if layer == "edge.__main__" and not item.inner and not within(item.target, ("edge.core",)):
        # The package itself is loaded before its __main__, whatever that imports.
        return "" if item.target == "edge" else "the dispatcher loads a verb when it is typed"
    if item.target != "edge" and not within(item.target, LAYERS[layer]):
        return f"{layer} may import {', '.join(LAYERS[layer]) or 'nothing of ours'} only"
    ours = [platform for platform in PLATFORMS if within(module.name, (platform,))]
    others = tuple(platform for platform in PLATFORMS if platform not in ours)
    if ours and within(item.target, others):
        return "platforms do not know each other"
    return ""


def _third_party(module: Module, item: Import) -> str:
    top = item.target.partition(".")[0]
    if top in PACKAGES:
        return ""
    if top in HOMES and not within(module.name, HOMES[top]):
        return f"{top} lives in {', '.join(HOMES[top])}"
    if within(module.name, ("edge.core",)):
        guarded = top in HOMES and item.guarded
        typing_only = item.typing_only and top in sys.stdlib_module_names
        listed = top in CORE_STDLIB or guarded or typing_only
        return "" if listed else "not on the core's list"
    if module.name == "edge.__main__" and not item.inner and top not in sys.stdlib_module_names:
        return "the dispatcher imports the standard library only at module level"
    return ""


def import_graph(modules: dict[str, Module]) -> dict[str, set[str]]:
    """Module -> what it imports when it runs."""
    return {
        name: {item.target for item in imports_of(module, modules) if not item.typing_only}
        for name, module in modules.items()
    }


def terminal_reached(modules: dict[str, Module]) -> list[str]:
    """Runtime modules from which typer or rich can be reached through any chain of imports."""
    graph = import_graph(modules)
    runtime = ("edge.core", "edge.ports", "edge.app")
    return [
        f"{name}: reaches {', '.join(hit)}"
        for name in sorted(modules)
        if within(name, runtime) and not is_command_line(name)
        if (hit := sorted(t for t in reachable(name, graph) if within(t, TERMINAL)))
    ]


def import_cycles(modules: dict[str, Module]) -> list[str]:
    graph = import_graph(modules)
    own = {name: {t for t in targets if t in modules} for name, targets in graph.items()}
    cycle = find_cycle(own)
    return [" -> ".join(cycle)] if cycle else []


def oversized(root: Path, packages: tuple[str, ...]) -> list[str]:
    """Modules, functions and lines past their limit."""
    found: list[str] = []
    for path in [path for package in packages for path in python_files(root, package)]:
        lines = path.read_text(encoding="utf-8").splitlines()
        where = path.relative_to(root)
        if len(lines) > MODULE_LINES:
            found.append(f"{where}: {len(lines)} lines, at most {MODULE_LINES}")
        for number, line in enumerate(lines, 1):
            length = len(PRAGMA.sub("", line))
            if length > LINE_CHARS:
                found.append(f"{where}:{number}: {length} characters, at most {LINE_CHARS}")
        limit = FUNCTION_LINES
        if path.name.startswith("test_") or where.parts[0] == "tests":
            limit = TEST_FUNCTION_LINES
        found.extend(f"{where}:{what}" for what in _long_functions(root, path, limit))
    return found


def _long_functions(root: Path, path: Path, limit: int) -> list[str]:
    return [
        f"{node.lineno}: {node.name} has {size} lines, at most {limit}"
        for node in ast.walk(read_module(root, path).tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (size := (node.end_lineno or node.lineno) - node.lineno + 1) > limit
    ]


def empty_names(root: Path, packages: tuple[str, ...]) -> list[str]:
    """Modules whose name says nothing about what is in them."""
    return [
        str(path.relative_to(root))
        for package in packages
        for path in python_files(root, package)
        if set(path.relative_to(root).with_suffix("").parts) & set(EMPTY_NAMES)
    ]


#: What no file of the repository may contain. A machine's own folders, where packages came from,
#: work left undone: each is true only in one place or at one time.
FORBIDDEN_TEXT = (
    (
        "machine path",
        re.compile(r"""(?<![\w.>}])/(?:home|work|root|Users|tmp)/|["'`= ]/tmp["'`\s]"""),
    ),
    (
        "registry host",
        re.compile(r"pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|proxy\.golang\.org"),
    ),
    ("unfinished work", re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")),
)


def forbidden_text(root: Path, files: list[Path]) -> list[str]:
    found: list[str] = []
    for path in files:
        text = path.read_text(encoding="utf-8")
        for number, line in enumerate(text.splitlines(), 1):
            for what, pattern in FORBIDDEN_TEXT:
                if pattern.search(line):
                    found.append(f"{path.relative_to(root)}:{number}: {what}: {line.strip()[:80]}")
    return found
