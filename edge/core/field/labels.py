"""Register numbers as manuals print them, and the wire addresses they stand for.

Manuals count from 1 and put the kind of register in front: 40001 or 400001 is the first holding
register (function 3), 30001 or 300001 the first input register (function 4). On the wire both are
address 0 (MODBUS Application Protocol V1.1b3, 4.4).
"""

from edge.core.bus.rtu import READ_HOLDING, READ_INPUT
from edge.core.errors import DataError

_FIRST = (("4", READ_HOLDING), ("3", READ_INPUT))


def parse_label(text: str) -> tuple[int, int]:
    """(function, wire address) of a label such as 40001, 30013 or 400001.

    Raises DataError "data.range" for what is no such label: a number below 30001 says neither
    function nor base.
    """
    if text.isdigit() and len(text) in (5, 6):
        number = int(text[1:])
        for digit, function in _FIRST:
            if text[0] == digit and 1 <= number <= 65536:
                return function, number - 1
    raise DataError("data.range", what="label address", value=text)


def format_label(function: int, address: int) -> str:
    """The label of a wire address: five digits where they are enough, else six."""
    for digit, number in _FIRST:
        if number == function:
            tail = str(address + 1)
            return digit + "0" * ((4 if address < 9999 else 5) - len(tail)) + tail
    raise DataError("data.range", what="function", value=function)
