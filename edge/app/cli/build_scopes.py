"""What each name of a module means, told apart by how it is spelt in the tree.

After `qualify` the name of something that a module of ours defines is "module:name", wherever it
is named from, an argument's is "arg:place:name", that of a class body "attr:name", any other local
one ends in "__"; what is built in and what is imported from the firmware is as it was.
"""

import ast
from typing import Any, NamedTuple

from edge.app.cli.build_bindings import COMPREHENSIONS, Bindings, Own, bound, imported
from edge.app.cli.build_groups import OVERLAYS, group_of
from edge.core.errors import ConfigError

Function = ast.FunctionDef | ast.Lambda


class _Scope(NamedTuple):
    """names: local name -> its spelling, or what it is where it is imported."""

    is_class: bool
    names: dict[str, str | Own]
    stored: set[str]


def qualify(tree: ast.Module, module: str, bindings: dict[str, Bindings]) -> None:
    """Spell the names of a module's tree; bindings: of all modules. Imports between them go."""
    _Speller(module, bindings).visit(tree)


class _Speller(ast.NodeTransformer):
    def __init__(self, module: str, bindings: dict[str, Bindings]) -> None:
        self._module = module
        self._bindings = bindings
        self._scopes: list[_Scope] = []

    def visit(self, node: ast.AST) -> Any:
        if isinstance(node, COMPREHENSIONS):
            return self._comprehension(node)
        return super().visit(node)

    def _refuse(self, node: ast.AST, reason: str) -> ConfigError:
        where = f"line {getattr(node, 'lineno', 0)}: {reason}"
        return ConfigError("config.file", file=self._module, reason=where)

    def _spelt(self, own: Own, node: ast.AST) -> str | Own:
        """The spelling of something of ours, or the module that it is."""
        while own.name:
            inside = self._bindings.get(own.module)
            if inside is None or own.name not in inside:
                if f"{own.module}.{own.name}" in self._bindings:
                    return Own(f"{own.module}.{own.name}", "")
                raise self._refuse(node, f"{own.module}.{own.name} is not in the program")
            meant = inside[own.name]
            if meant is None:
                return own.name
            if meant == own:
                return f"{own.module}:{own.name}"
            own = meant
        return own

    def _meaning(self, name: str, node: ast.AST) -> str | Own:
        innermost = len(self._scopes) - 1
        for at, scope in reversed(list(enumerate(self._scopes))):
            if name in scope.names and (at == innermost or not scope.is_class):
                found = scope.names[name]
                return found if isinstance(found, str) else self._spelt(found, node)
        if name in self._bindings[self._module]:
            return self._spelt(Own(self._module, name), node)
        return name

    def _in_class(self) -> bool:
        return bool(self._scopes) and self._scopes[-1].is_class

    def visit_Name(self, node: ast.Name) -> ast.expr:
        """What a class sets is its own from there on; until then it is what it is outside."""
        if self._in_class() and not isinstance(node.ctx, ast.Load):
            node.id = f"attr:{node.id}"
            return node
        meant = self._meaning(node.id, node)
        if not isinstance(meant, str):
            raise self._refuse(node, f"{node.id} is a module: it has no value once it is joined")
        node.id = meant
        self._note_store(node)
        return node

    def _note_store(self, node: ast.Name) -> None:
        """A function that sets a name of a module has to say so."""
        is_of_module = ":" in node.id and not node.id.startswith("arg:")
        functions = [scope for scope in self._scopes if not scope.is_class]
        if is_of_module and functions and not isinstance(node.ctx, ast.Load):
            functions[-1].stored.add(node.id)

    def visit_Attribute(self, node: ast.Attribute) -> ast.expr:
        whole = self._module_of(node.value)
        if whole is None:
            self.generic_visit(node)
            return node
        meant = self._spelt(Own(whole, node.attr), node)
        if not isinstance(meant, str):
            raise self._refuse(node, f"{node.attr} is a module: it has no value once it is joined")
        found = ast.Name(meant, node.ctx)
        self._note_store(found)
        return found

    def _module_of(self, node: ast.expr) -> str | None:
        """The module of ours that an expression is."""
        if isinstance(node, ast.Name):
            meant = self._meaning(node.id, node)
            return meant.module if isinstance(meant, Own) else None
        if isinstance(node, ast.Attribute):
            whole = self._module_of(node.value)
            if whole is not None and f"{whole}.{node.attr}" in self._bindings:
                return f"{whole}.{node.attr}"
        return None

    def visit_Import(self, node: ast.Import) -> ast.stmt | None:
        return self._external(node, not node.names[0].name.startswith("edge."))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.stmt | list[ast.stmt] | None:
        module = str(node.module)
        if module not in self._bindings and module.split(".")[0] == "edge":
            missing = ast.Call(ast.Name("ImportError", ast.Load()), [ast.Constant(module)], [])
            return ast.Raise(missing)
        borrowed = self._scopes and self._borrowed(node)
        if borrowed:
            return _loading(borrowed)
        return self._external(node, module.split(".")[0] != "edge")

    def _borrowed(self, node: ast.AST) -> dict[str, str]:
        """{local name: spelling} of what a statement imports of an overlay that it is not in."""
        found = {}
        for name, own in imported(node, set(self._bindings)).items():  # type: ignore[arg-type]
            meant = self._spelt(own, node) if own and own.module in self._bindings else own
            if isinstance(meant, str) and ":" in meant:
                group = group_of(meant)
                if group in OVERLAYS and group != group_of(self._module):
                    found[name] = meant
        return found

    def _external(self, node: ast.Import | ast.ImportFrom, is_external: bool) -> ast.stmt | None:
        if not is_external:
            return ast.Pass() if self._scopes else None
        for alias in node.names:
            meant = self._meaning(alias.asname or alias.name, node)
            alias.asname = str(meant) if meant != alias.name else None
        return node

    def visit_Global(self, node: ast.Global) -> ast.stmt:
        return ast.Pass()

    def visit_Nonlocal(self, node: ast.Nonlocal) -> ast.stmt:
        node.names = [str(self._meaning(name, node)) for name in node.names]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        if node.name:
            node.name = str(self._meaning(node.name, node))
        return self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.stmt:
        is_method = self._in_class()
        node.name = f"attr:{node.name}" if is_method else str(self._meaning(node.name, node))
        node.decorator_list = [self.visit(item) for item in node.decorator_list]
        scope = self._enter(node, node.body)
        node.body = self._reachable(self._visited(node.body))
        self._scopes.pop()
        if scope.stored:
            node.body.insert(0, ast.Global(sorted(scope.stored)))
        return node

    def _visited(self, body: list[ast.stmt]) -> list[ast.stmt]:
        found: list[ast.stmt] = []
        for item in body:
            made = self.visit(item)
            found += made if isinstance(made, list) else [made]
        return found

    @staticmethod
    def _reachable(body: list[ast.stmt]) -> list[ast.stmt]:
        """Without what follows a `raise`, and without what does nothing."""
        raises = [at for at, item in enumerate(body) if isinstance(item, ast.Raise)]
        kept = body[: raises[0] + 1] if raises else body
        return [item for item in kept if not isinstance(item, ast.Pass)] or [ast.Pass()]

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        self._enter(node, [])
        node.body = self.visit(node.body)
        self._scopes.pop()
        return node

    def _enter(self, node: Function, body: list[ast.stmt]) -> _Scope:
        """Open a function's scope; its defaults belong to the one outside."""
        given = node.args
        given.defaults = [self.visit(item) for item in given.defaults]
        given.kw_defaults = [item and self.visit(item) for item in given.kw_defaults]
        names: dict[str, str | Own] = {}
        place = sum(
            isinstance(spelling, str) and spelling.startswith("arg:")
            for scope in self._scopes
            for spelling in scope.names.values()
        )
        for argument in [*given.args, *given.kwonlyargs]:
            spelling = f"arg:{place}:{argument.arg}"
            names[argument.arg] = argument.arg = spelling
            place += 1
        for rest in (given.vararg, given.kwarg):
            if rest is not None:
                names[rest.arg] = rest.arg = f"{rest.arg}__"
        self._bind(names, body, place)
        scope = _Scope(False, names, set())
        self._scopes.append(scope)
        return scope

    def _bind(self, names: dict[str, str | Own], body: list[ast.stmt], place: int) -> None:
        """Add what a function's body binds; a function in it keeps its name, as arguments do."""
        inside = [item for statement in body for item in ast.walk(statement)]
        elsewhere = {
            name
            for item in inside
            if isinstance(item, ast.Global | ast.Nonlocal)
            for name in item.names
        }
        for name in bound(body):
            if name not in names and name not in elsewhere:
                names[name] = f"{name}__"
        for item in inside:
            if isinstance(item, ast.Import | ast.ImportFrom):
                borrowed = self._borrowed(item)
                for name, own in imported(item, set(self._bindings)).items():
                    if own is not None and own.module in self._bindings and name not in borrowed:
                        names[name] = own
            elif isinstance(item, ast.FunctionDef) and names.get(item.name) == f"{item.name}__":
                names[item.name] = f"arg:{place}:{item.name}"
                place += 1

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.stmt:
        node.name = str(self._meaning(node.name, node))
        node.bases = [self.visit(item) for item in node.bases]
        names: dict[str, str | Own] = {}
        self._scopes.append(_Scope(True, names, set()))
        for at, item in enumerate(list(node.body)):
            own = {name: f"attr:{name}" for name in bound([item])}
            node.body[at] = self.visit(item)
            names.update(own)
        self._scopes.pop()
        return node

    def _comprehension(self, node: ast.expr) -> ast.expr:
        """Its first source belongs to the scope outside."""
        loops: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
        loops[0].iter = self.visit(loops[0].iter)
        targets = [item for loop in loops for item in ast.walk(loop.target)]
        names: dict[str, str | Own] = {
            item.id: f"{item.id}__" for item in targets if isinstance(item, ast.Name)
        }
        self._scopes.append(_Scope(False, names, set()))
        for at, loop in enumerate(loops):
            loop.target = self.visit(loop.target)
            loop.iter = loop.iter if at == 0 else self.visit(loop.iter)
            loop.ifs = [self.visit(item) for item in loop.ifs]
        for field in ("elt", "key", "value"):
            if hasattr(node, field):
                setattr(node, field, self.visit(getattr(node, field)))
        self._scopes.pop()
        return node


def _loading(borrowed: dict[str, str]) -> list[ast.stmt]:
    """Statements that import what is in overlays, each of which is dropped at once.

    It is loaded again when it is imported again; what was imported keeps all of it as long as it
    is held itself.
    """
    found: list[ast.stmt] = [ast.ImportFrom("sys", [ast.alias("modules", "modules__")], 0)]
    for group in sorted({group_of(meant) for meant in borrowed.values()}):
        asked = {name: meant for name, meant in borrowed.items() if group_of(meant) == group}
        names = [ast.alias(meant, f"{name}__") for name, meant in asked.items()]
        found.append(ast.ImportFrom(group, names, 0))
        found.append(ast.parse(f"del modules__[{group!r}]").body[0])
    return found
