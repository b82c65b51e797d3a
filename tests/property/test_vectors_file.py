"""The vectors that MicroPython computes are those of the file, and the file is exact text."""

import importlib
import json
from fractions import Fraction
from pathlib import Path

from tests.core.test_vectors import VECTORS

TESTS = Path(__file__).parents[1]
FILE = TESTS / "data" / "carbon_vectors.json"


def read_vectors() -> dict[str, dict]:
    return {vector["id"]: vector for vector in json.loads(FILE.read_text("utf-8"))}


def tables() -> dict[str, tuple]:
    """Every table of vectors in tests/core, as one."""
    joined = dict(VECTORS)
    for path in sorted((TESTS / "core").glob("vectors_*.py")):
        table = getattr(importlib.import_module("tests.core." + path.stem), "VECTORS", {})
        assert not set(table) & set(joined), path
        joined.update(table)
    return joined


def test_the_tables_are_the_file():
    found = {
        name: (vector["inputs"], vector["expected"]["value"], vector["expected"]["tolerance"])
        for name, vector in read_vectors().items()
    }
    assert found == tables()


def test_every_vector_says_where_it_is_from_and_how_it_is_computed():
    for vector in read_vectors().values():
        assert vector["source"] and vector["method"] and vector["kind"]
        assert vector["expected"]["unit"]


def test_no_number_passes_through_binary_fractions():
    for vector in read_vectors().values():
        for text in [*vector["inputs"].values(), *vector["expected"].values()]:
            assert isinstance(text, str)
        Fraction(vector["expected"]["value"])


def test_the_published_results_follow_from_their_inputs_by_plain_fractions():
    def number(name: str, key: str) -> Fraction:
        return Fraction(read_vectors()[name]["inputs"][key])

    for name in ("CN-VR-A1", "CN-VR-B2", "CN-VR-C"):
        vector = read_vectors()[name]
        exact = number(name, "electricity_MWh") * number(name, "EF_tCO2_per_MWh")
        exact += Fraction(vector["inputs"].get("diesel_tCO2", "0"))
        expected = vector["expected"]
        assert abs(exact - Fraction(expected["value"])) <= Fraction(expected["tolerance"])
