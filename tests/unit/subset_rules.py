"""MicroPython 1.27 in rules a syntax tree can show: what it refuses and what it does differently.

Each rule is a name and a function from a node to True where the node breaks it. Every one was
seen to matter on the real interpreter; some of them only show on the device.
"""

import ast
import builtins
from collections.abc import Callable, Iterator

Rule = Callable[[ast.AST], bool]

BUILTIN_TYPES = ("int", "str", "bytes", "bytearray", "bool", "list", "tuple", "dict", "set")
BUILTIN_ERRORS = tuple(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)
ABSENT_NAMES = (
    "TimeoutError",
    "ConnectionError",
    "ConnectionResetError",
    "ConnectionRefusedError",
    "BrokenPipeError",
    "PermissionError",
    "FileNotFoundError",
    "FileExistsError",
    "InterruptedError",
    "Warning",
    "BufferError",
    "ExceptionGroup",
)
ABSENT_ATTRIBUTES = (
    "hexdigest",
    "bit_length",
    "bit_count",
    "zfill",
    "ljust",
    "rjust",
    "removeprefix",
    "removesuffix",
    "cast",
    "iter_unpack",
    "_replace",
    "_asdict",
    "fsync",
    "environ",
    "monotonic",
)
REFUSED_KEYWORDS = {
    "zip": ("strict",),
    "dumps": ("sort_keys", "default"),
    "namedtuple": ("defaults",),
}


def called(node: ast.AST) -> str:
    """The last name of what is called, "" if the node is no call of a name."""
    if not isinstance(node, ast.Call):
        return ""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def is_name(node: ast.AST | None, names: tuple[str, ...]) -> bool:
    return isinstance(node, ast.Name) and node.id in names


def keywords(node: ast.Call) -> set[str]:
    return {item.arg or "**" for item in node.keywords}


def star_in_display(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.List | ast.Tuple | ast.Set)
        and not isinstance(getattr(node, "ctx", None), ast.Store)
        and any(isinstance(item, ast.Starred) for item in node.elts)
    )


def byte_conversion(node: ast.AST) -> bool:
    """MicroPython ignores the sign and wraps: two positional arguments are what both agree on."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in ("to_bytes", "from_bytes")
        and (len(node.args) != 2 or bool(node.keywords))
    )


def unordered_sort(node: ast.AST) -> bool:
    """Sorting is not stable there, so every sort says by what, with a total key."""
    return (
        isinstance(node, ast.Call)
        and called(node) in ("sort", "sorted")
        and "key" not in keywords(node)
    )


def type_expression(node: ast.AST) -> bool:
    """`int | None` and `list[int]` run on CPython; annotations are not walked, so this runs."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = (node.left, node.right)
        none = any(isinstance(side, ast.Constant) and side.value is None for side in sides)
        return none or any(is_name(side, BUILTIN_TYPES) for side in sides)
    return isinstance(node, ast.Subscript) and is_name(node.value, BUILTIN_TYPES)


def folded_constant(node: ast.AST) -> bool:
    """const() under an underscore name is folded away, also from the class, so self._X fails."""
    return isinstance(node, ast.ClassDef) and any(
        isinstance(item, ast.Assign)
        and called(item.value) == "const"
        and any(isinstance(name, ast.Name) and name.id[0] == "_" for name in item.targets)
        for item in node.body
    )


def base_class(node: ast.AST) -> bool:
    """A second base meets lay-out conflicts and a one-branch super(); a metaclass is refused."""
    return isinstance(node, ast.ClassDef) and (len(node.bases) > 1 or bool(node.keywords))


def builtin_init(node: ast.AST) -> bool:
    """`Exception.__init__(self, ...)` is an AttributeError there; super().__init__ works."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "__init__"
        and is_name(node.func.value, BUILTIN_ERRORS + BUILTIN_TYPES + ("object",))
    )


def private_name(node: ast.AST) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
    return isinstance(name, str) and name.startswith("__") and not name.endswith("__")


def refused_keyword(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and bool(
        keywords(node) & set(REFUSED_KEYWORDS.get(called(node), ()))
    )


def slice_deletion(node: ast.AST) -> bool:
    return isinstance(node, ast.Delete) and any(
        isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Slice)
        for target in node.targets
    )


def slice_step(node: ast.AST) -> bool:
    step = node.step if isinstance(node, ast.Slice) else None
    return step is not None and not (isinstance(step, ast.Constant) and step.value == 1)


def absent(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        struct_error = node.attr == "error" and is_name(node.value, ("struct",))
        return struct_error or node.attr in ABSENT_ATTRIBUTES
    return is_name(node, ABSENT_NAMES)


RULES: dict[str, Rule] = {
    "match": lambda n: isinstance(n, ast.Match),
    "except*": lambda n: isinstance(n, ast.TryStar),
    "type alias or type parameter": lambda n: type(n).__name__ in ("TypeAlias", "TypeVar"),
    "positional-only parameter": lambda n: isinstance(n, ast.arguments) and bool(n.posonlyargs),
    "star in a display": star_in_display,
    "{**mapping}": lambda n: isinstance(n, ast.Dict) and None in n.keys,
    "raise ... from": lambda n: isinstance(n, ast.Raise) and n.cause is not None,
    "!conversion in an f-string": lambda n: (
        isinstance(n, ast.FormattedValue) and n.conversion != -1
    ),
    "lambda in an f-string": lambda n: (
        isinstance(n, ast.FormattedValue)
        and any(isinstance(inner, ast.Lambda) for inner in ast.walk(n))
    ),
    "async comprehension": lambda n: isinstance(n, ast.comprehension) and bool(n.is_async),
    "to_bytes or from_bytes beyond (value, order)": byte_conversion,
    "sort without key": unordered_sort,
    "type expression outside an annotation": type_expression,
    "const() under an underscore name in a class": folded_constant,
    "second base class or class keyword": base_class,
    "explicit __init__ of a builtin": builtin_init,
    "private double underscore": private_name,
    "refused keyword": refused_keyword,
    "del of a slice": slice_deletion,
    "slice step": slice_step,
    "deque without (iterable, maxlen)": lambda n: (
        isinstance(n, ast.Call) and called(n) == "deque" and len(n.args) < 2
    ),
    "name MicroPython lacks": absent,
}

#: These hold in edge/core only: the device's floats are 32 bits wide.
CORE_RULES: dict[str, Rule] = {
    "float literal": lambda n: (
        isinstance(n, ast.Constant) and isinstance(n.value, float | complex)
    ),
    "true division": lambda n: isinstance(n, ast.Div),
    "float()": lambda n: is_name(n, ("float",)),
}


def packs(node: ast.AST) -> bool:
    """struct.pack wraps silently, so it stays in the modules that check the range before."""
    if isinstance(node, ast.ImportFrom):
        return node.module == "struct" and any(a.name.startswith("pack") for a in node.names)
    return (
        isinstance(node, ast.Attribute)
        and node.attr in ("pack", "pack_into")
        and is_name(node.value, ("struct", "ustruct"))
    )


def running_nodes(node: ast.AST) -> Iterator[ast.AST]:
    """Every node that is evaluated: annotations are not."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from running_nodes(child)


def broken_rules(tree: ast.AST, rules: dict[str, Rule]) -> list[str]:
    """ "line: rule" for every node that breaks a rule."""
    found: list[str] = []
    line = 0
    for node in running_nodes(tree):
        line = getattr(node, "lineno", line)
        found.extend(f"{line}: {name}" for name, broken in rules.items() if broken(node))
    return found
