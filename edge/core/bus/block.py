"""What is read at once, and what a station has taught about that."""

from collections import namedtuple

#: One read request: function, wire address, count of registers (bits with functions 1 and 2).
Block = namedtuple("Block", ("function", "address", "count"))

#: What a station has taught. holes: (function, first, last) ranges no block may touch; missing:
#: names of points it does not have; limit: most registers in one read.
Learned = namedtuple("Learned", ("holes", "missing", "limit"))

NOTHING_LEARNED = Learned((), (), 0)

#: Errors by which a station says that it has not all of a block.
REFUSALS = ("device.illegal_address", "device.illegal_value")
