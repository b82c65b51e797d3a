"""Words that are not ours to rename in a device's program, whatever they are used for.

Those of built-in types are what Python has; those that only MicroPython's modules have are listed.
"""

import array
import ast
import builtins
import collections
import hashlib
import io
import re
import select
import socket
import ssl
from types import BuiltinFunctionType, CodeType, FunctionType, GeneratorType, ModuleType

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

#: Methods, and names of their arguments, of the types in `machine`, `esp32`, `network`, `socket`,
#: `select`, `vfs`, `deflate`, `cryptolib`, `btree` and `tls`, as MicroPython 1.29 documents them.
_DOCUMENTED = """
accept acquire active alarm antenna any atten auth authmode baudrate bind bits
bitstream_channel bitstream_rmt block block_size buf channel chdir clock_div commit config
csi_available csi_disable csi_dropped csi_enable csi_read datetime decrypt deinit disable
disconnect drive duty duty_ns duty_u16 enable encrypt erase_key feed flow flush freq get_blob
get_i32 get_next_update getcwd getsockopt handler hostname id ifconfig ilistdir info init
invert ioctl ipconfig ipoll irq isconnected key label listen load_binary load_cert_chain
load_verify_locations locked loop loop_count mac makefile mark_app_valid_cancel_rollback memory
mfg mkdir mkfs mode modify mount off offset on op open parity password phases pin pm poll power
pull read_u16 read_uv readblocks readfrom readfrom_into readfrom_mem readfrom_mem_into
reconnects recv recvfrom register rename rmdir run rx rxbuf scan security sendbreak sendto
server_hostname server_side set_blob set_boot set_ciphers set_i32 set_wakeup_period setblocking
setsockopt settimeout shift source_freq ssid stat status statvfs stop sync timeout timeout_char
toggle trigger tx txbuf txdone txpower type umount unregister value verify_mode wait_done wbits
width wrap_socket write_pulses write_readinto writeblocks writeto writeto_mem writevto
"""
FIRMWARE = frozenset(_DOCUMENTED.split())

_TYPES = (
    *(value for value in vars(builtins).values() if isinstance(value, type)),
    *(array.array, collections.OrderedDict, collections.deque),
    *(io.BytesIO, io.StringIO, io.FileIO, io.BufferedRandom, io.TextIOWrapper),
    *(socket.socket, ssl.SSLContext, ssl.SSLSocket, type(select.poll()), type(hashlib.sha256())),
    *(re.Pattern, re.Match, type(re), GeneratorType, FunctionType, BuiltinFunctionType),
    *(CodeType, ModuleType),
)

#: Names of attributes of built-in types.
BUILT_IN = frozenset(name for given in _TYPES for name in dir(given))

#: Names of attributes that an interpreter asks objects of ours for, or that they have from it.
ASKED = FIRMWARE | {*dir(tuple), *dir(Exception), *dir(io.IOBase), *dir(GeneratorType)}


def fixed_words(trees: list[ast.Module]) -> set[str]:
    """Words that have to stay as they are, in trees spelt by `qualify`; texts count as well."""
    found = set(FIRMWARE | BUILT_IN)
    waiting: list[ast.AST] = list(trees)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.update([node.value] if _WORD.match(node.value) else [])
        elif isinstance(node, ast.Attribute) and _is_external(node):
            found.add(node.attr)
        if not (isinstance(node, ast.Call) and is_record(node)):
            waiting += ast.iter_child_nodes(node)
    return found


def texts(trees: list[ast.Module]) -> set[str]:
    """Texts that may be names."""
    nodes = (node for tree in trees for node in ast.walk(tree))
    found = {node.value for node in nodes if isinstance(node, ast.Constant)}
    return {text for text in found if isinstance(text, str) and _WORD.match(text)}


class Keywords:
    """Which keywords are names of arguments of ours: all but those that somebody else reads.

    words: those that are, in some call. Others are of the firmware, or of a function that takes
    any, as errors do, whose fields are read by their names.
    """

    def __init__(self, trees: list[ast.Module]) -> None:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        functions = [node for node in nodes if isinstance(node, ast.FunctionDef)]
        self._open_ended = _open_ended(functions, nodes)
        self._methods = {node.name.removeprefix("attr:") for node in functions}
        self.words: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Call) and self.is_ours(node):
                self.words.update(keyword.arg for keyword in node.keywords if keyword.arg)
        for function in functions:
            if function.args.kwarg:
                self.words.update(item.arg.rpartition(":")[2] for item in function.args.args[1:])

    def is_ours(self, node: ast.Call) -> bool:
        """Whether the keywords of a call are."""
        called = _called(node)
        is_known = ":" in called or called in self._methods
        return is_known and called not in self._open_ended


def _called(node: ast.Call) -> str:
    """The last name of what is called; "" where it has none."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _is_external(node: ast.Attribute) -> bool:
    """Whether it is an attribute of something that is reached by name from a firmware's module."""
    inner: ast.expr = node
    while isinstance(inner, ast.Attribute):
        inner = inner.value
    return isinstance(inner, ast.Name) and ":" not in inner.id and not inner.id.endswith("__")


def _open_ended(functions: list[ast.FunctionDef], nodes: list[ast.AST]) -> set[str]:
    """Functions and classes that take any keywords, and what is derived from such a class."""
    opened = [node for node in functions if node.args.kwarg]
    found = {node.name.removeprefix("attr:") for node in opened}
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    found.update(
        node.name
        for node in classes
        if any(item in opened and item.name == "attr:__init__" for item in node.body)
    )
    grows = True
    while grows:
        derived = {
            node.name for node in classes if {ast.unparse(one) for one in node.bases} & found
        }
        grows = not derived <= found
        found |= derived
    return found


def is_record(node: ast.AST) -> bool:
    """Whether it makes a named tuple's type."""
    made = node.func if isinstance(node, ast.Call) else None
    return isinstance(made, ast.Name) and made.id == "namedtuple"
