"""Trial decode over every decode vector of every profile that ships: how often it is right."""

from edge.app.cli.bus_identify import read_library
from edge.app.cli.bus_trial import show_ratio
from edge.core.bus.points import Point
from edge.core.bus.profile import Profile
from edge.core.field.trial import KINDS, Trial, rank
from edge.core.numbers.words import WIDTHS

#: Of 100 vectors, so many have the right reading first, and among the first three.
FIRST_PERCENT = 90
FIRST_THREE_PERCENT = 97


def is_right(trial: Trial, point: Point, profile: Profile) -> bool:
    """True if one of the trial's equal readings is what the profile says."""
    readings = ((trial.kind, trial.word_order, trial.byte_order), *trial.also)
    return any(
        kind == point.kind
        and byte_order == profile.byte_order
        and (WIDTHS[kind] == 1 or word_order == profile.word_order)
        for kind, word_order, byte_order in readings
    )


def plain_vectors() -> list[tuple[Profile, Point, tuple[int, ...]]]:
    """The vectors of points that one plain number of registers makes, each once."""
    library = read_library()
    found = {}
    for document, profile in zip(library.documents, library.profiles, strict=True):
        points = {point.name: point for point in profile.points}
        for vector in document.get("vectors", ()):
            point = points.get(vector["point"])
            if point is None or "reading" not in vector or not any(vector["registers"]):
                continue
            plain = point.kind in KINDS and point.exponent is None and point.function in (3, 4)
            if plain and point.point_class != "status":
                registers = tuple(vector["registers"])
                key = (point.kind, profile.word_order, profile.byte_order, registers)
                found[key] = (profile, point, registers)
    return list(found.values())


def test_the_right_reading_of_the_profiles_vectors_comes_first():
    vectors = plain_vectors()
    assert len(vectors) >= 100
    first = three = 0
    for profile, point, registers in vectors:
        trials = rank(registers)
        first += is_right(trials[0], point, profile)
        three += any(is_right(trial, point, profile) for trial in trials[:3])
    print(f"{first} of {len(vectors)} first, {three} among the first three")
    assert 100 * first >= FIRST_PERCENT * len(vectors)
    assert 100 * three >= FIRST_THREE_PERCENT * len(vectors)


def test_values_are_shown_for_people():
    assert show_ratio((461, 2)) == "230.5"
    assert show_ratio((-7, 1)) == "-7"
    assert show_ratio(None) == "-"
    assert show_ratio((1, 3)) == "0.3333333"
