"""10,000 polls accounted: the same bytes on every interpreter.

RECORDS is over the interval records as the journal would hold them. FIGURES is over their counts,
activities and emissions; a test on CPython derives it from the readings with fractions.
"""

import hashlib

from edge.core.carbon import streams
from edge.core.carbon.account import Accountant
from edge.core.carbon.counter import Limits
from edge.core.journal.record import Kind, Record, encode_record
from edge.core.numbers import pack

RECORDS = "988ac2c1f79b93bfe8d96269f34d2fd953fd3e5b03d1ec978238b5f45af90ab8"
FIGURES = "1345a53e3f1bf4ea72ae6af632d68720705feba2a3bbd601dd041247ac791d21"

POLLS = 10_000
QUARTER = 900_000
T0 = 1_800_000_000_000
MODULUS = 10_000_000

#: (kind, unit, places, ug per canonical unit or a ratio, the same on the second basis)
METERS = (
    ("grid_import", "kW.h", 3, 832_500, 530_600),
    ("grid_export", "MW.h", 4, 832_500, 582_700),
    ("pv", "W.h", 0, 0, 0),
    ("heat_import", "GJ", 3, 110_000, 98_700),
    ("fuel", "m3", 2, (2_162_188_777, 1_000), (43_007, 17)),
    ("process_output", "t", 3, 535_000, 520_000),
)


class Noise:
    """The same numbers everywhere (a linear congruence, 31 bits)."""

    def __init__(self):
        self.state = 20_261_126

    def below(self, limit):
        self.state = (self.state * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return (self.state >> 8) % limit


def readings():
    """(poll, registers): mostly rising, now and then missing, a moment's zero, a rollover."""
    noise = Noise()
    registers = [MODULUS - 2_000_000] + [1000 * at for at in range(1, len(METERS))]
    found = []
    for poll in range(POLLS):
        shown = []
        for at in range(len(METERS)):
            registers[at] += noise.below(400)
            if at == 0:
                registers[at] %= MODULUS
            odd = noise.below(200)
            is_first = poll < 3
            shown.append(None if odd == 1 and not is_first else registers[at])
            if odd == 2 and not is_first and registers[at] > 500_000:
                shown[at] = 0
        found.append(shown)
    return found


def accountant():
    made = []
    for at, (kind, unit, places, main, other) in enumerate(METERS):
        dimension = streams.KINDS[kind].dimension
        if dimension == "any":
            dimension = {"m3": "volume", "t": "mass"}[unit]
        factor = streams.Factor("f", dimension, main, "set", b"d")
        second = streams.Factor("g", dimension, other, "set", b"d")
        setup = streams.Setup("park", (("other", second),), "", (), ())
        limits = Limits(MODULUS if at == 0 else None, 1_000_000, True, 1)
        made.append(
            streams.counter_stream(
                at, kind, kind, factor, unit, places, 60_000, (0, at), b"", setup, limits
            )
        )
    return Accountant(tuple(made), QUARTER)


def run():
    """(SHA-256 of the records, SHA-256 of the figures) as hexadecimal text."""
    account = accountant()
    records = hashlib.sha256()
    figures = hashlib.sha256()
    for poll, shown in enumerate(readings()):
        at_ms = poll * 60_000
        body = account.close(T0 + at_ms)
        if body is not None:
            record = Record(Kind.INTERVAL, poll, 1, at_ms, T0 + at_ms, 2, body)
            records.update(encode_record(record))
            figures.update(pack.encode(figures_of(body)))
        qualities = {at: 3 for at, value in enumerate(shown) if value is None}
        account.observe(0, 1, at_ms, T0 + at_ms, shown, qualities)
    return text_of(records.digest()), text_of(figures.digest())


def figures_of(body):
    """[start, end, [[count, activity, emission, emission on the other basis], ...]]"""
    return [body[0], body[1], [[entry[1], entry[3], entry[4], entry[9][0]] for entry in body[2]]]


def text_of(digest):
    return "".join([f"{byte:02x}" for byte in digest])


def test_ten_thousand_polls_make_the_same_bytes_everywhere():
    assert run() == (RECORDS, FIGURES)
