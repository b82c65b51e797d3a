"""Numbers mean one thing for the life of a journal, whatever the configuration becomes."""

import copy

import msgpack
import pytest

from edge.app.config import Library, Settings
from edge.app.definitions import Definitions, define_streams
from edge.core.journal.record import Part
from edge.core.numbers import pack
from edge.ports.linux import files

DOCUMENT = {
    "gateway": {"id": "gw-1", "tenant": "wuxi", "key_file": "k", "journal": "j"},
    "uplink": {"broker": "mqtts://h"},
    "bus": [{"name": "a", "port": "p"}],
    "device": [
        {"name": "grid", "bus": "a", "station": 1, "profile": "eastron_sdm630"},
        {"name": "line", "bus": "a", "station": 2, "profile": "eastron_sdm630"},
    ],
    "stream": [
        {
            "name": "import",
            "kind": "grid_import",
            "point": "grid.active_energy_import",
            "factor": "electricity_fossil",
        },
        {"name": "export", "kind": "memo", "point": "grid.active_energy_export"},
    ],
}


class Journal:
    """The TABLE parts of one epoch, as they come back from canonical bytes."""

    def __init__(self) -> None:
        self.parts: list[list] = []

    def start(self, document: dict, version: str = "1", digest: bytes = b"d1"):
        """A start of the gateway: (device numbers, streams, what it wrote, definitions)."""
        stored = [pack.decode(pack.encode(part)) for part in self.parts]
        definitions = Definitions(stored)
        settings = Settings(document, "f", Library(files.read_profile, files.read_factors))
        definitions.config(digest, version)
        for factor in settings.factors:
            definitions.factor_set(factor.set_id, factor.set_digest)
        numbers = [definitions.device(device) for device in settings.devices]
        streams = define_streams(settings, numbers, definitions)
        fresh = list(definitions.fresh())
        self.parts += fresh
        return numbers, streams, fresh, definitions


def changed(path: tuple, value) -> dict:
    document = copy.deepcopy(DOCUMENT)
    spot = document
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    return document


def numbers_of(streams) -> list[int]:
    return [stream.number for stream in streams]


def test_the_first_start_writes_everything_it_uses():
    numbers, streams, fresh, _ = Journal().start(DOCUMENT)
    assert (numbers, numbers_of(streams)) == ([0, 1], [0, 1])
    kinds = [part[0] for part in fresh]
    assert kinds.count(Part.CONFIG) == kinds.count(Part.FACTORS) == 1
    assert kinds.count(Part.DEVICE) == kinds.count(Part.STREAM) == 2
    for part in fresh:
        assert msgpack.packb(part, use_bin_type=True) == pack.encode(part)


def test_an_unchanged_start_writes_nothing_and_keeps_every_number():
    journal = Journal()
    journal.start(DOCUMENT)
    for _ in range(3):
        numbers, streams, fresh, _ = journal.start(DOCUMENT)
        assert (numbers, numbers_of(streams), fresh) == ([0, 1], [0, 1], [])


def test_another_version_or_file_is_recorded_alone():
    journal = Journal()
    journal.start(DOCUMENT)
    assert journal.start(DOCUMENT, "2")[2] == [[Part.CONFIG, b"d1", "2"]]
    assert journal.start(DOCUMENT, "2", b"d2")[2] == [[Part.CONFIG, b"d2", "2"]]
    assert journal.start(DOCUMENT, "2", b"d2")[2] == []
    # Back to an earlier one: it is in force again, so it is said again.
    assert journal.start(DOCUMENT, "1", b"d1")[2] == [[Part.CONFIG, b"d1", "1"]]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("station", 9),
        ("poll_ms", 5000),
        ("profile", "acrel_adw300"),
        ("points", ["active_energy_import"]),
        ("name", "line-2"),
    ],
)
def test_a_changed_device_gets_the_next_number_and_the_other_keeps_its_own(key, value):
    journal = Journal()
    journal.start(DOCUMENT)
    numbers, _, fresh, _ = journal.start(changed(("device", 1, key), value))
    assert numbers == [0, 2]
    assert [part[:2] for part in fresh] == [[Part.DEVICE, 2]]
    # The change undone: the first number again, and nothing to write.
    numbers, _, fresh, _ = journal.start(DOCUMENT)
    assert (numbers, fresh) == ([0, 1], [])


def test_order_in_the_file_does_not_matter():
    journal = Journal()
    journal.start(DOCUMENT)
    document = copy.deepcopy(DOCUMENT)
    document["device"].reverse()
    document["stream"].reverse()
    numbers, streams, fresh, _ = journal.start(document)
    assert (numbers, numbers_of(streams), fresh) == ([1, 0], [1, 0], [])


def test_a_number_is_never_given_twice():
    journal = Journal()
    for station in (1, 5, 6, 7):
        journal.start(changed(("device", 0, "station"), station))
    for part in (Part.DEVICE, Part.STREAM):
        given = [body[1] for body in journal.parts if body[0] == part]
        assert sorted(given) == list(range(len(given)))


def test_a_removed_device_leaves_its_number_behind():
    journal = Journal()
    journal.start(DOCUMENT)
    document = copy.deepcopy(DOCUMENT)
    del document["device"][1]
    assert journal.start(document)[0] == [0]
    document["device"].append({**DOCUMENT["device"][1], "name": "third"})
    assert journal.start(document)[0] == [0, 2]


def test_another_factor_makes_another_stream_over_the_same_source():
    journal = Journal()
    journal.start(DOCUMENT)
    document = changed(("stream", 0, "factor"), "electricity_nonfossil")
    _, streams, fresh, definitions = journal.start(document)
    assert numbers_of(streams) == [2, 1]
    assert [part[:3] for part in fresh] == [[Part.STREAM, 2, "import"]]
    assert definitions.predecessors(streams[0]) == [2, 0]
    assert definitions.predecessors(streams[1]) == [1]


def test_another_source_has_no_predecessor():
    journal = Journal()
    journal.start(DOCUMENT)
    document = changed(("stream", 0, "point"), "line.active_energy_import")
    _, streams, _, definitions = journal.start(document)
    assert definitions.predecessors(streams[0]) == [streams[0].number] == [2]


def test_a_device_that_only_moved_is_still_the_same_source():
    """Its number changes with its station; the stream counts on over the same meter."""
    journal = Journal()
    journal.start(DOCUMENT)
    numbers, streams, fresh, _ = journal.start(changed(("device", 0, "station"), 7))
    assert numbers[0] == 2 and streams[0].source.inputs[0][0] == 2
    assert numbers_of(streams) == [0, 1]
    assert [part[0] for part in fresh] == [Part.DEVICE]


def test_a_stack_is_another_source_when_its_wiring_is():
    stack = {
        "method": "hj212-2017/273/22.4",
        "area_m2": "28.27",
        "ambient_pa": 101_300,
        "basis": "dry",
        "co2": "cems.co2_concentration",
        "velocity": "cems.flue_gas_velocity",
        "temperature": "cems.stack_temperature",
        "pressure": "cems.stack_static_pressure",
        "moisture": "cems.h2o_concentration",
    }
    document = copy.deepcopy(DOCUMENT)
    cems = {"name": "cems", "bus": "a", "station": 3, "profile": "hefeng_cems"}
    document["device"].append(cems)
    document["stream"] = [{"name": "stack", "kind": "stack_co2", "stack": stack}]
    journal = Journal()
    assert numbers_of(journal.start(document)[1]) == [0]
    assert numbers_of(journal.start(document)[1]) == [0]
    seen = [0]
    for key, value in (("area_m2", "28.28"), ("basis", "wet"), ("ambient_pa", 100_000)):
        other = copy.deepcopy(document)
        other["stream"][0]["stack"][key] = value
        _, streams, _, definitions = journal.start(other)
        assert streams[0].number not in seen
        assert definitions.predecessors(streams[0]) == [streams[0].number]
        seen.append(streams[0].number)
