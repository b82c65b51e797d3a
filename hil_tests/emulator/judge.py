"""The judge: what the gateway should have read, from the ledger and the profile files alone.

It shares no code with the gateway: registers become exact fractions through struct, fractions
are rounded half to even, and a poll is put together from the replies that were on the wire.

    replies = read_replies(ledger, "bus1", 1)
    for poll in expected_polls(replies, [(4, 0, 80), (4, 80, 6)]):
        if poll.complete:
            figures = judge_poll(poll, profile)      # point name -> mantissa, or None for nil
"""

import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from hil_tests.emulator.faults import INTACT_FAULTS
from hil_tests.emulator.ledger import ServedReply
from hil_tests.emulator.profile import WIDTHS, Point, Profile

#: (function, address, count) of one read
Block = tuple[int, int, int]


@dataclass
class Poll:
    """One poll of a station, as served.

    wall_ms: when the last byte of its last reply was on the line; first_wall_ms: of its first.
    registers: (function, address) -> register.
    complete: every block of the poll is there.
    doubtful: a block came late or after noise, so the master may rightly have refused it.
    """

    first_wall_ms: int
    wall_ms: int = 0
    registers: dict[tuple[int, int], int] = field(default_factory=dict)
    reply_ids: list[int] = field(default_factory=list)
    complete: bool = False
    doubtful: bool = False


def expected_polls(
    replies: Iterable[ServedReply], blocks: Sequence[Block], retry_ms: int = 0
) -> list[Poll]:
    """Group one station's replies, in the order of the wire, into polls.

    blocks: the reads of one poll in the order the master sends them, all different.
    retry_ms: a block served again is a retry of a reply that the master gave up on, and replaces
    it; the first block of a poll only within this time, later it begins the next poll. 0: never.
    Replies that a fault spoilt, exceptions and reads outside `blocks` count for nothing. A block
    that does not come after the last one of its poll begins the next poll.
    """
    polls: list[Poll] = []
    order = {block: index for index, block in enumerate(blocks)}
    last = len(blocks)
    for reply in replies:
        index = _index(reply, order)
        if index is None:
            continue
        is_again = index == last and retry_ms > 0
        is_retry = is_again and (index > 0 or reply.wall_ms - polls[-1].wall_ms <= retry_ms)
        if index <= last and not is_retry:
            polls.append(Poll(first_wall_ms=reply.wall_ms))
        last = index
        _take(polls[-1], reply)
        served = {(block[0], block[1] + k) for block in blocks for k in range(block[2])}
        polls[-1].complete = len(served) == len(polls[-1].registers)
    return polls


def _index(reply: ServedReply, order: dict[Block, int]) -> int | None:
    is_intact = reply.fault is None or reply.fault in INTACT_FAULTS
    if not is_intact or reply.exception is not None:
        return None
    if reply.address is None or reply.count is None:
        return None
    return order.get((reply.function, reply.address, reply.count))


def _take(poll: Poll, reply: ServedReply) -> None:
    assert reply.registers is not None and reply.address is not None
    for offset, word in enumerate(words_of(reply)):
        poll.registers[reply.function, reply.address + offset] = word
    poll.wall_ms = reply.wall_ms
    poll.reply_ids.append(reply.id)
    poll.doubtful = poll.doubtful or reply.fault is not None


def words_of(reply: ServedReply) -> Sequence[int]:
    """The registers in a good reply, or its bits as 0 and 1 (functions 1 and 2)."""
    assert reply.registers is not None and reply.count is not None
    if reply.function in (1, 2):
        bits = int.from_bytes(reply.registers, "little")
        return [bits >> index & 1 for index in range(reply.count)]
    return struct.unpack(f">{len(reply.registers) // 2}H", reply.registers)


def judge_poll(poll: Poll, profile: Profile) -> dict[str, int | None]:
    """The reading of every point whose registers are in `poll`: mantissa, or None for nil."""
    figures = {}
    for point in profile.points:
        keys = [(point.function, point.address + offset) for offset in range(point.width)]
        if all(key in poll.registers for key in keys):
            words = [poll.registers[key] for key in keys]
            figures[point.name] = judge_point(words, point, profile)
    return figures


def judge_point(words: Sequence[int], point: Point, profile: Profile) -> int | None:
    """The mantissa of `point` at its places; None for NaN, infinity, a sentinel or bad BCD.

    words: the registers (bits, with functions 1 and 2) of the point's span, lowest address first.
    """
    factor = Fraction(1)
    if point.exponent is not None:
        address, kind = point.exponent
        exponent = _exponent(_bytes([words[address - point.address]], profile), kind)
        if exponent is None:
            return None
        factor = Fraction(10) ** exponent
    total = Fraction(0)
    for part in point.parts:
        first = part.address - point.address
        data = _bytes(words[first : first + WIDTHS[part.type]], profile)
        if part.type.startswith("u8_"):
            data = data[:1] if part.type == "u8_high" else data[1:]
        marks = (*profile.sentinels.get(part.type, ()), *point.sentinels)
        raw = None if int.from_bytes(data, "big") in marks else _decode(data, part.type)
        if raw is None:
            return None
        total += raw * part.scale
    # round() of a Fraction rounds half to even.
    return round((total * factor + point.offset) * Fraction(10) ** point.places)


def judge_text(words: Sequence[int], profile: Profile) -> str | None:
    """The text in `words` without its padding; None if it is not printable ASCII, or empty."""
    order = ">" if profile.byte_order == "big" else "<"
    data = struct.pack(f"{order}{len(words)}H", *words).rstrip(b"\0 ")
    return data.decode() if data.isascii() and data.decode().isprintable() and data else None


def _bytes(words: Sequence[int], profile: Profile) -> bytes:
    """The bytes of a value, its highest first."""
    ordered = words if profile.word_order == "big" else tuple(reversed(words))
    order = ">" if profile.byte_order == "big" else "<"
    return struct.pack(f"{order}{len(ordered)}H", *ordered)


def _exponent(data: bytes, kind: str) -> int | None:
    if data == b"\x80\0":
        return None
    exponent = struct.unpack(">h", data)[0] if kind == "i16" else -struct.unpack(">H", data)[0]
    return exponent if abs(exponent) <= 10 else None


def _decode(data: bytes, kind: str) -> Fraction | None:
    if kind.startswith("f"):
        number = struct.unpack(">f" if kind == "f32" else ">d", data)[0]
        return Fraction(number) if math.isfinite(number) else None
    if kind.startswith("bcd"):
        digits = data.hex()
        return Fraction(int(digits)) if digits.isdecimal() else None
    return Fraction(int.from_bytes(data, "big", signed=kind.startswith("i")))
