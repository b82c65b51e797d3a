"""Names that every firmware has in its ROM: to call something by one takes no memory.

All are in MicroPython's core, py/ and extmod/ as an ESP32 is built, of 1.27 to 1.29.
"""

import keyword
from collections.abc import Iterator
from string import ascii_letters, digits

#: Functions, constants, exceptions, then methods; without what the compiler reads itself, such
#: as `range` and `super`, and what an object is asked for by the interpreter.
_LISTED = """
abs all any bin bool bytearray bytes callable chr classmethod compile complex delattr dict dir
divmod enumerate eval exec filter float frozenset getattr globals hasattr hash help hex input int
isinstance issubclass iter len list locals map max memoryview min next object oct ord pow print
property repr reversed round set setattr slice sorted staticmethod str sum tuple type zip
Ellipsis NotImplemented

EPERM ENOENT EIO EBADF EAGAIN ENOMEM EACCES EEXIST ENODEV EISDIR EINVAL EOPNOTSUPP EADDRINUSE
ECONNABORTED ECONNRESET ENOBUFS ENOTCONN ETIMEDOUT ECONNREFUSED EHOSTUNREACH EALREADY EINPROGRESS
errorcode

acos acosh asin asinh atan atan2 atanh ceil copysign cos cosh degrees erf erfc exp expm1 fabs
floor fmod frexp gamma isclose isfinite isinf isnan ldexp lgamma log log10 log2 modf radians sin
sinh sqrt tan tanh trunc

NATIVE LITTLE_ENDIAN BIG_ENDIAN VOID UINT8 INT8 UINT16 INT16 UINT32 INT32 UINT64 INT64 BFUINT8
BFINT8 BFUINT16 BFINT16 BFUINT32 BFINT32 BF_POS BF_LEN FLOAT32 FLOAT64 SHORT USHORT INT UINT LONG
ULONG LONGLONG ULONGLONG PTR ARRAY sizeof addressof bytes_at bytearray_at

FrameBuffer FrameBuffer1 MVLSB MONO_VLSB MONO_HLSB MONO_HMSB RGB565 GS2_HMSB GS4_HMSB GS8 blit
ellipse fill fill_rect hline line pixel poly scroll vline

dump dumps load loads separators match search group heappush heappop heapify getrandbits seed
randrange randint choice uniform hexlify unhexlify a2b_base64 b2a_base64 crc32 sha256 calcsize
pack pack_into unpack unpack_from namedtuple OrderedDict deque DeflateIO AUTO RAW ZLIB GZIP
StringIO BytesIO IOBase

argv byteorder implementation maxsize modules path platform print_exception version_info stdin
stdout stderr ps1 ps2 isenabled mem_alloc mem_free threshold opt_level mem_info qstr_info
heap_lock heap_unlock kbd_intr schedule builtins collections struct math cmath json hashlib
binascii random uctypes deflate framebuf Task TaskQueue cur_task coro ph_key

ArithmeticError AttributeError BaseException EOFError Exception GeneratorExit ImportError
IndentationError IndexError KeyboardInterrupt KeyError LookupError MemoryError NameError
NotImplementedError OSError OverflowError RuntimeError StopAsyncIteration StopIteration
SyntaxError SystemExit TypeError UnicodeError ValueError ZeroDivisionError

sleep sleep_ms sleep_us ticks_ms ticks_us ticks_cpu ticks_add ticks_diff time_ns gmtime localtime
mktime

add append appendleft center clear copy count decode difference difference_update discard encode
endswith extend find format from_bytes fromhex fromkeys index insert intersection
intersection_update isalpha isdigit isdisjoint islower isspace issubset issuperset isupper items
join keys lower lstrip partition pop popitem popleft remove replace reverse rfind rindex
rpartition rsplit rstrip setdefault sort split splitlines startswith strip symmetric_difference
symmetric_difference_update to_bytes union upper values
"""
STATIC = tuple(_LISTED.split())

#: Names of arguments that are given by place.
ARGUMENTS = STATIC[STATIC.index("add") :]


def given_names(taken: set[str], static: tuple[str, ...] = STATIC) -> Iterator[str]:
    """Names to be given that are not taken: those in ROM, then the shortest."""
    yield from (name for name in static if name not in taken)
    for first in ascii_letters:
        if first not in taken:
            yield first
    for first in ascii_letters:
        for second in ascii_letters + digits:
            name = first + second
            if name not in taken and not keyword.iskeyword(name):
                yield name
