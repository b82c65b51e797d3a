"""What `explain` shows of a stack: the samples its mass was made of."""

from edge.app.cli.explain_stack import sample_lines, samples_of
from edge.core.carbon.trail import Book, Trail
from edge.core.journal.record import Kind, Part, Record

INPUTS = [["stack", "co2"], ["stack", "velocity"], ["analyzer", "state"]]


def table() -> list[list]:
    devices = (
        (3, "stack", [["dust", "mg/m3", 1, "gauge"], ["co2", "%{vol}", 3, "gauge"]]),
        (4, "analyzer", [["state", "1", 0, "status"]]),
        (5, "grid", [["co2", "W", 0, "gauge"]]),
    )
    devices[0][2].append(["velocity", "m/s", 2, "gauge"])
    parts: list[list] = [
        [Part.DEVICE, number, name, "bus", number, "profile", b"p", 1000, points]
        for number, name, points in devices
    ]
    head = [Part.STREAM, 6, "chimney", "stack_co2", 1, "mg", 1, 1, "", b"", "hj212", b"s"]
    return [*parts, [*head, "park", [], "", None, INPUTS, []]]


def record(seq: int, device: int, values: list, flat: list) -> Record:
    return Record(Kind.POLL, seq, 1, 0, 1_800_000_000_000 + seq, 2, [device, values, flat, []])


def test_the_samples_of_a_stack_are_its_inputs_as_read():
    book = Book(table())
    trail = Trail(book.streams[6], [6, 10, 0, 10, 10, 1, 1, 0, 0, [], []])
    polls = [
        record(1, 3, [77, 8293, 536], []),
        record(2, 4, [1], []),
        record(3, 5, [9], []),
        record(4, 3, [None, None, 540], [1, 3]),
    ]
    samples = samples_of(book, trail, polls)
    assert [sample["record"] for sample in samples] == [1, 2, 4]
    assert samples[0]["time"] == "2027-01-15T08:00:00.001Z"
    assert samples[0]["values"] == [
        {"point": "stack.co2", "value": "8.293", "unit": "%{vol}", "quality": "good"},
        {"point": "stack.velocity", "value": "5.36", "unit": "m/s", "quality": "good"},
    ]
    lines = sample_lines(samples)
    assert "co2 8.293 %{vol}  velocity 5.36 m/s" in lines[0]
    assert lines[1].endswith("state 1")
    assert "co2 nothing (timeout)" in lines[2]


def test_another_stream_has_no_samples():
    book = Book(table())
    definition = [*book.streams[6]]
    definition[3] = "grid_import"
    entry = [6, 10, 0, 10, 10, 1, 1, 0, 0, [], []]
    assert samples_of(book, Trail(definition, entry), [record(1, 3, [1, 2, 3], [])]) == []
    assert sample_lines([]) == []
