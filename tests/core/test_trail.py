from edge.core.carbon import streams
from edge.core.carbon.account import Accountant
from edge.core.carbon.trail import Book, follow
from edge.core.errors import DataError
from edge.core.journal.record import Kind, Part, Record

T0 = 1_800_000_000_000
MINUTE = 60_000
GRID = streams.Factor("grid", "energy", 832500, "test", b"d")
GREEN = streams.Factor("green", "energy", 530600, "mee", b"e")

DEVICE = [Part.DEVICE, 4, "meter", "bus", 1, "profile", b"p", 1000]
DEVICE += [[["power", "W", 0, "gauge"], ["energy", "kW.h", 3, "counter"]]]


def definition(stream):
    limits = stream.limits
    head = [Part.STREAM, stream.number, stream.name, stream.kind, 2, stream.unit]
    head += [stream.numerator, stream.denominator, stream.factor, stream.factor_digest]
    head += [stream.method, stream.source_digest, stream.basis]
    head += [[list(rate) for rate in stream.rates], stream.where]
    known = None if limits is None else [limits.modulus, limits.most_per_h, 0, limits.step]
    return head + [known, [list(i) for i in stream.inputs], [list(s) for s in stream.summands]]


def site():
    setup = streams.Setup("park", (("national", GREEN),), "", (("meter", "energy"),), ())
    grid = streams.counter_stream(
        0, "grid", "grid_import", GRID, "kW.h", 3, 1000, (4, 1), b"s", setup
    )
    half = streams.virtual_stream(
        1, "half", "memo", None, "energy", 2, 1000, (streams.Summand(0, 1),), b"h"
    )
    return grid, half


def journal(registers, swap=None):
    """Records of one reading a second; swap: (second, old, new)."""
    made = site()
    account = Accountant(made, MINUTE)
    parts = [DEVICE] + [definition(stream) for stream in made]
    bodies = [(Kind.TABLE, 0, parts)]
    for second, register in enumerate(registers):
        body = account.close(T0 + 1000 * second)
        if body is not None:
            bodies.append((Kind.INTERVAL, second, body))
        if swap is not None and swap[0] == second:
            account.swap(4, 1, swap[1], swap[2])
            part = [Part.SWAP, "meter", "energy", swap[1], swap[2], "now", "meter", ""]
            bodies.append((Kind.TABLE, second, [part]))
        qualities = {}
        account.observe(4, 1, 1000 * second, T0 + 1000 * second, [5, register], qualities)
        flat = [item for at in sorted(qualities, key=int) for item in (at, qualities[at])]
        bodies.append((Kind.POLL, second, [4, [5, register], flat, []]))
    last = len(registers)
    bodies.append((Kind.INTERVAL, last, account.close(T0 + (last + 59) // 60 * MINUTE)))
    return [
        Record(kind, seq, 1, 1000 * second, T0 + 1000 * second, 2, body)
        for seq, (kind, second, body) in enumerate(bodies)
    ]


def trails(records, name):
    book = Book([part for record in records if record.kind == Kind.TABLE for part in record.body])
    found, before, between = [], None, []
    for record in records:
        if record.kind == Kind.INTERVAL:
            found.append(follow(book, name, before, between, record))
            before, between = record, []
        else:
            between.append(record)
    return found


def test_the_moves_are_the_figure():
    records = journal([1_000_000 + 7 * second for second in range(120)])
    first, second = trails(records, "grid")
    assert first.is_same and second.is_same
    assert first.start == (1_000_000, 0) and second.start == first.end
    assert [step.move for step in first.steps] == [0] + [7] * 59
    assert second.unit == "kW.h" and second.places == 3
    park, national = second.products
    assert (park.basis, park.factor) == ("park", "grid")
    assert park.emission_mg == park.recorded_mg == park.end_mg - park.start_mg
    assert national.basis == "national" and national.emission_mg < park.emission_mg


def test_a_glitch_stands_in_the_chain_and_adds_nothing():
    shown = [13_423_700] * 30 + [0] + [13_423_800] * 60
    (first, second) = trails(journal(shown), "grid")
    odd = first.steps[30]
    assert (odd.register, odd.move, odd.told) == (0, None, ["data.backwards"])
    assert (first.steps[31].move, first.steps[31].told) == (100, ["data.glitch"])
    assert sum(step.move or 0 for step in first.steps) == 100
    assert first.is_same and second.is_same


def test_a_glitch_across_the_boundary_needs_the_recorded_state():
    shown = [13_423_700] * 58 + [0] * 4 + [13_423_800] * 30
    (first, second) = trails(journal(shown), "grid")
    assert first.is_same and second.is_same
    assert second.steps[2].told == ["data.glitch"]


def test_a_swap_is_a_step_of_its_own():
    shown = [1000] * 40 + [20, 21, 22, 23, 24] + [30] * 30
    (first, second) = trails(journal(shown, (50, 1100, 15)), "grid")
    assert [step.told for step in first.steps if "counter.swap" in step.told] == [["counter.swap"]]
    assert first.end[0] == 1000 + 100 + 15
    assert first.is_same and second.is_same


def test_a_virtual_meter_is_followed_to_its_parts():
    records = journal([1_000_000 + 7 * second for second in range(120)])
    _, second = trails(records, "half")
    assert second.parts == [("grid", 1, 1_000_413, 1_000_833)]
    assert second.is_same and second.entry[3] == 1_000_833 // 2 - 1_000_413 // 2


def test_a_figure_that_was_changed_differs():
    for place in (1, 4, 9):
        records = journal([1000 + second for second in range(60)])
        entry = records[-1].body[2][0]
        entry[place] = [entry[9][0] + 1] if place == 9 else entry[place] + 1
        assert not trails(records, "grid")[0].is_same


def test_a_stream_that_is_not_in_the_interval():
    try:
        trails(journal([1, 2]), "steam")
    except DataError as error:
        assert error.code == "data.range"
    else:
        raise AssertionError("found")
