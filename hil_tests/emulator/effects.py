"""What each kind of fault does: a table of small functions on a frame that is about to be sent.

A frame is a reply as its station means to send it, or a request as the master has sent it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from hil_tests.emulator import rules
from hil_tests.emulator.frame import encode_exception, seal
from hil_tests.emulator.noise import Noise
from hil_tests.emulator.rules import Rule

#: What a fault works on: a frame on its way to the stations, one on its way to the master, or
#: the adapter between the master and the pair.
REQUEST, REPLY, ADAPTER = "request", "reply", "adapter"

_MOST_MS = 60_000
_MOST_S = 86_400
_MOST_NOISE_BYTES = 8
_BITS = 8

#: A late reply is late by this many times the master's timeout, in percent.
_LATE_PERCENT = (50, 300)


@dataclass
class Draft:
    """A frame before it is sent, for the effects to change.

    exception: the code in it, None in a good reply.
    delay_s: what its station takes longer than usual.
    pause: (index, characters): silence before the byte at `index`.
    after_next_s: held back by the adapter until this long after the next request has begun.
    babble_s, reboot_s, unplug_s: what the frame's end begins, and for how long.
    """

    data: bytes
    exception: int | None = None
    delay_s: float = 0.0
    pause: tuple[int, float] = (0, 0.0)
    after_next_s: float | None = None
    babble_s: float = 0.0
    reboot_s: float = 0.0
    unplug_s: float = 0.0


class Kind(NamedTuple):
    """One kind of fault.

    label: its name in the ledger; {} stands for the value.
    rule: what its key may hold in a scenario.
    strike: changes the draft by the key's value.
    works_on: the first is the default.
    is_intact: the reply still is on the wire, whole, within the frame of its CRC.
    """

    label: str
    rule: Rule
    strike: Callable[[Draft, Any, Noise], None]
    works_on: tuple[str, ...] = (REPLY,)
    is_intact: bool = False


def _silent(draft: Draft, value: Any, noise: Noise) -> None:
    draft.data = b""


def _exception(draft: Draft, code: int, noise: Noise) -> None:
    draft.data = encode_exception(draft.data[0], draft.data[1] & 0x7F, code)
    draft.exception = code


def _crc(draft: Draft, value: Any, noise: Noise) -> None:
    flip = noise.pick(1, 0xFFFF)
    tail = int.from_bytes(draft.data[-2:], "big") ^ flip
    draft.data = draft.data[:-2] + tail.to_bytes(2, "big")


def _garbage(draft: Draft, where: str, noise: Noise) -> None:
    if where == "before":
        draft.data = noise.data(noise.pick(1, _MOST_NOISE_BYTES)) + draft.data
    else:
        draft.data = noise.data(len(draft.data))


def _truncate(draft: Draft, kept: int, noise: Noise) -> None:
    draft.data = draft.data[: min(kept, len(draft.data) - 1)]


def _bit_errors(draft: Draft, rate: Any, noise: Noise) -> None:
    data = bytearray(draft.data)
    position = noise.skips(float(rate)) if rate > 0 else len(data) * _BITS
    while position < len(data) * _BITS:
        data[position // _BITS] ^= 1 << position % _BITS
        position += 1 + noise.skips(float(rate))
    draft.data = bytes(data)


def _drop(draft: Draft, count: int, noise: Noise) -> None:
    count = min(count, len(draft.data) - 1)
    at = noise.pick(0, len(draft.data) - count)
    draft.data = draft.data[:at] + draft.data[at + count :]


def _insert(draft: Draft, count: int, noise: Noise) -> None:
    at = noise.pick(0, len(draft.data) - 1)
    draft.data = draft.data[:at] + noise.data(count) + draft.data[at:]


def _swap(draft: Draft, value: Any, noise: Noise) -> None:
    """Two neighbours change places; only such as differ, if there are any."""
    data = draft.data
    places = [at for at in range(len(data) - 1) if data[at] != data[at + 1]]
    if places:
        at = places[noise.pick(0, len(places) - 1)]
        draft.data = data[:at] + data[at + 1 : at + 2] + data[at : at + 1] + data[at + 2 :]


def _leading_00(draft: Draft, count: int, noise: Noise) -> None:
    draft.data = bytes(count) + draft.data


def _trailing_ff(draft: Draft, count: int, noise: Noise) -> None:
    draft.data += b"\xff" * count


def _gap(draft: Draft, characters: Any, noise: Noise) -> None:
    if len(draft.data) > 1:
        draft.pause = (noise.pick(1, len(draft.data) - 1), float(characters))


def _wrong_station(draft: Draft, station: int, noise: Noise) -> None:
    draft.data = seal(bytes((station,)) + draft.data[1:-2])


def _wrong_function(draft: Draft, function: int, noise: Noise) -> None:
    draft.data = seal(draft.data[:1] + bytes((function,)) + draft.data[2:-2])


def _wrong_count(draft: Draft, registers: int, noise: Noise) -> None:
    """A good reply of another length: cut, or filled up with noise."""
    if draft.exception is None:
        values = draft.data[3:-2][: 2 * registers]
        values += noise.data(2 * registers - len(values))
        draft.data = seal(draft.data[:2] + bytes((2 * registers,)) + values)


def _wrong_byte_count(draft: Draft, count: int, noise: Noise) -> None:
    if draft.exception is None:
        draft.data = seal(draft.data[:2] + bytes((count,)) + draft.data[3:-2])


def _late(draft: Draft, late_ms: Any, noise: Noise) -> None:
    low, high = late_ms if isinstance(late_ms, tuple) else (late_ms, late_ms)
    draft.delay_s += noise.pick(low * 1000, high * 1000) / 1e6


def _late_timeout(draft: Draft, timeout_ms: int, noise: Noise) -> None:
    low, high = _LATE_PERCENT
    draft.delay_s += noise.pick(timeout_ms * low * 10, timeout_ms * high * 10) / 1e6


def _after_next(draft: Draft, after_ms: int, noise: Noise) -> None:
    draft.after_next_s = after_ms / 1000


def _babble(draft: Draft, duration_s: Any, noise: Noise) -> None:
    draft.babble_s = float(duration_s)


def _reboot(draft: Draft, duration_s: Any, noise: Noise) -> None:
    _cut(draft, noise)
    draft.reboot_s = float(duration_s)


def _unplug(draft: Draft, duration_s: Any, noise: Noise) -> None:
    _cut(draft, noise)
    draft.unplug_s = float(duration_s)


def _cut(draft: Draft, noise: Noise) -> None:
    draft.data = draft.data[: noise.pick(1, len(draft.data) - 1)]


def _echo(draft: Draft, value: Any, noise: Noise) -> None:
    """The line itself returns the bytes, while they come in."""


def _is_milliseconds(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST_MS


def _is_lateness(value: Any) -> bool:
    if not isinstance(value, list):
        return _is_milliseconds(value)
    return len(value) == 2 and all(map(_is_milliseconds, value)) and value[0] <= value[1]


_ON = rules.choice((True,))
_COUNT = rules.integer(1, 255)
_MS = rules.integer(1, _MOST_MS)
_LATENESS = Rule(_is_lateness, f"milliseconds from 1 to {_MOST_MS}, or [least, most]")
_BYTES = (REPLY, REQUEST)

KINDS = {
    "silent": Kind("silent", _ON, _silent),
    "exception": Kind("exception", _COUNT, _exception),
    "crc": Kind("crc", _ON, _crc, _BYTES),
    "garbage": Kind(
        "garbage_{}", rules.choice(("before", "instead")), _garbage, _BYTES, is_intact=True
    ),
    "truncate": Kind("truncate", _COUNT, _truncate, _BYTES),
    "bit_errors": Kind("bit_errors", rules.number(0, 1), _bit_errors, _BYTES),
    "drop": Kind("drop", _COUNT, _drop, _BYTES),
    "insert": Kind("insert", _COUNT, _insert, _BYTES),
    "swap": Kind("swap", _ON, _swap, _BYTES),
    "leading_00": Kind("leading_00", _COUNT, _leading_00, _BYTES, is_intact=True),
    "trailing_ff": Kind("trailing_ff", _COUNT, _trailing_ff, _BYTES, is_intact=True),
    "gap_characters": Kind("gap", rules.number(0, 10_000), _gap, _BYTES, is_intact=True),
    "wrong_station": Kind("wrong_station", rules.integer(0, 255), _wrong_station),
    "wrong_function": Kind("wrong_function", rules.integer(0, 255), _wrong_function),
    "wrong_count": Kind("wrong_count", rules.integer(0, 125), _wrong_count),
    "wrong_byte_count": Kind("wrong_byte_count", rules.integer(0, 255), _wrong_byte_count),
    "late_ms": Kind("late", _LATENESS, _late, is_intact=True),
    "late_timeout_ms": Kind("late", _MS, _late_timeout, is_intact=True),
    "after_next_ms": Kind("after_next", rules.integer(0, _MOST_MS), _after_next, is_intact=True),
    "babble_s": Kind("babble", rules.number(0, _MOST_S), _babble, is_intact=True),
    "reboot_s": Kind("reboot", rules.number(0, _MOST_S), _reboot),
    "unplug_s": Kind("unplug", rules.number(0, _MOST_S), _unplug),
    "echo": Kind("echo", _ON, _echo, (ADAPTER,)),
}
