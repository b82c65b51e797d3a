"""Time on the wire: what a character, a silence and a transaction take."""

from typing import NamedTuple

FORMATS = ("8N1", "8N2", "8E1", "8E2", "8O1", "8O2")

#: Above 19200 baud the silence no longer shrinks (serial line guide V1.02, 2.5.1.1).
_FIXED_SILENCE_BAUD = 19200
_FIXED_SILENCE_S = 0.00175


class Timing(NamedTuple):
    """character_s: one character on the wire; silence_s: 3.5 characters, floor 1.75 ms."""

    character_s: float
    silence_s: float

    def transaction_s(self, count: int, turnaround_s: float) -> float:
        """Least time of one read of `count` registers, from request to the next request.

        8 characters out, 5 + 2 x count back, the silence that ends each, and the turnaround.
        """
        characters = 8 + 5 + 2 * count
        return characters * self.character_s + 2 * self.silence_s + turnaround_s


#: For tools that want speed rather than the wire's time.
UNPACED = Timing(0.0, 0.0)


def bits_per_character(line_format: str) -> int:
    """Start bit, data bits, parity bit if any, stop bits of e.g. "8N1"."""
    parity = 0 if line_format[1] == "N" else 1
    return 1 + int(line_format[0]) + parity + int(line_format[2])


def plan_timing(baud: int, line_format: str) -> Timing:
    """The wire's timing at `baud` in `line_format`, one of FORMATS."""
    character_s = bits_per_character(line_format) / baud
    silence_s = _FIXED_SILENCE_S if baud > _FIXED_SILENCE_BAUD else 3.5 * character_s
    return Timing(character_s, silence_s)
