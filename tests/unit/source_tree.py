"""The Python sources as syntax trees, and who imports whom. Nothing here imports what it reads."""

import ast
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("edge", "cloud_sync", "boards", "hil_tests")
SKIPPED = {"node_modules", "__pycache__", "build", "dist"}


class Module(NamedTuple):
    """One source file. name is dotted; a package goes by its own name, without __init__."""

    name: str
    path: Path
    tree: ast.Module
    is_package: bool


class Import(NamedTuple):
    """One imported name and where the statement stands.

    inner: inside a function. guarded: under try / except ImportError. typing_only: under
    `if TYPE_CHECKING`, so it never runs.
    """

    target: str
    line: int
    inner: bool = False
    guarded: bool = False
    typing_only: bool = False


def files_under(folder: Path, pattern: str) -> list[Path]:
    """Files below `folder` that match, sorted, without what tools generate."""
    return sorted(
        path
        for path in folder.rglob(pattern)
        if path.is_file() and not SKIPPED & set(path.relative_to(folder).parts)
    )


def read_module(root: Path, path: Path) -> Module:
    parts = path.relative_to(root).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    name = ".".join(parts[:-1] if is_package else parts)
    return Module(name, path, ast.parse(path.read_text(encoding="utf-8")), is_package)


def read_modules(root: Path, packages: tuple[str, ...] = PACKAGES) -> dict[str, Module]:
    """Every module of `packages` under `root`, by dotted name."""
    found = [read_module(root, path) for name in packages for path in python_files(root, name)]
    return {module.name: module for module in found}


def python_files(root: Path, package: str) -> list[Path]:
    return files_under(root / package, "*.py")


def imports_of(module: Module, known: dict[str, Module]) -> list[Import]:
    """What `module` imports anywhere; `from package import module` names the module."""
    found: list[Import] = []
    todo: list[tuple[ast.AST, Import]] = [(module.tree, Import("", 0))]
    while todo:
        node, place = todo.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            for target in _targets(node, module, known):
                found.append(place._replace(target=target, line=node.lineno))
        for field, value in ast.iter_fields(node):
            inside = _place_within(node, field, place)
            children = value if isinstance(value, list) else [value]
            todo.extend((child, inside) for child in children if isinstance(child, ast.AST))
    return sorted(found)


def _place_within(node: ast.AST, field: str, place: Import) -> Import:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return place._replace(inner=True)
    if isinstance(node, ast.Try) and field == "body" and _catches_import_error(node):
        return place._replace(guarded=True)
    if isinstance(node, ast.If) and field == "body" and _asks_type_checking(node.test):
        return place._replace(typing_only=True)
    return place


def _asks_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _catches_import_error(node: ast.Try) -> bool:
    return any(
        isinstance(name, ast.Name) and name.id in ("ImportError", "ModuleNotFoundError")
        for handler in node.handlers
        if handler.type
        for name in ast.walk(handler.type)
    )


def _targets(
    node: ast.Import | ast.ImportFrom, module: Module, known: dict[str, Module]
) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    origin = node.module or ""
    if node.level:
        parts = module.name.split(".")
        keep = len(parts) - node.level + (1 if module.is_package else 0)
        origin = ".".join([*parts[:keep], *([origin] if origin else [])])
    names = [f"{origin}.{alias.name}" for alias in node.names]
    return sorted({name if name in known else origin for name in names})


def reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    """Everything that importing `start` imports, its parent packages included."""
    seen: set[str] = set()
    todo = [start]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        todo.extend(graph.get(name, ()))
        if "." in name:
            todo.append(name.rpartition(".")[0])
    return seen


def find_cycle(graph: dict[str, set[str]]) -> list[str]:
    """One import cycle as a path that ends where it began; empty if there is none."""
    done: set[str] = set()
    for start in sorted(graph):
        cycle = _walk(start, graph, [], done)
        if cycle:
            return cycle
    return []


def _walk(name: str, graph: dict[str, set[str]], path: list[str], done: set[str]) -> list[str]:
    if name in path:
        return [*path[path.index(name) :], name]
    if name in done:
        return []
    for target in sorted(graph.get(name, ())):
        cycle = _walk(target, graph, [*path, name], done)
        if cycle:
            return cycle
    done.add(name)
    return []
