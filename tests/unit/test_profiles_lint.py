"""The lint finds what it says it finds: one spoilt profile for every rule."""

from pathlib import Path
from typing import Any

import pytest

from edge.app.cli.profiles_files import Source, read_source
from edge.app.cli.profiles_lint import lint_source
from edge.app.cli.profiles_new import write_skeleton

Document = dict[str, Any]


@pytest.fixture
def sound(tmp_path: Path) -> Source:
    """A profile that only lacks confidence."""
    source = read_source(write_skeleton("Acme", "X 1", tmp_path))
    assert [finding.rule for finding in lint_source(source)] == ["confidence"]
    return source


def rules(source: Source, **changes: Any) -> set[str]:
    """The rules that a changed document breaks."""
    document = {**source.document, **changes}
    return {finding.rule for finding in lint_source(source._replace(document=document))}


def points(source: Source, **changes: Any) -> list[Document]:
    first, *others = source.document["points"]
    return [{**first, **changes}, *others]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"unit": "A"}, "unit"),
        ({"places": 3}, "vector"),
        ({"scale": "0.01"}, "vector"),
        ({"address": 2}, "meaning"),
        ({"sentinels": [7]}, "unproven"),
        ({"type": "i16"}, "unproven"),
        ({"name": "line_voltage", "values": {"1": "on"}}, "values"),
        ({"class": "status", "values": {"on": "running"}}, "values"),
        ({"class": "status", "bits": {"16": "too far"}}, "bits"),
        ({"class": "counter", "type": "u8_low"}, "class"),
    ],
)
def test_a_wrong_point_is_found(sound: Source, changes: Document, rule: str):
    assert rule in rules(sound, points=points(sound, **changes))


@pytest.mark.parametrize(
    ("marker", "rule"),
    [
        ({"method": "register"}, True),
        ({"method": "register", "address": 1, "count": 1, "type": "u32"}, True),
        ({"method": "register", "address": 1, "count": 1, "type": "u16", "expect": [70000]}, True),
        ({"method": "register", "address": 1, "count": 1, "type": "u16", "expect": ["A"]}, True),
        (
            {"method": "register", "address": 1, "count": 2, "type": "str", "expect": ["ABCDE"]},
            True,
        ),
        (
            {"method": "register", "address": 1, "count": 2, "type": "str", "expect": ["ABCD"]},
            False,
        ),
        ({"method": "register", "address": 1, "count": 4, "type": "u32", "expect": [7]}, False),
    ],
)
def test_a_mark_that_cannot_be_read_is_found(sound: Source, marker: Document, rule: bool):
    assert ("identification" in rules(sound, identification=marker)) is rule


def test_numbers_of_the_manual_in_place_of_addresses_are_found(sound: Source):
    document = {k: v for k, v in sound.document.items() if k != "label_base"}
    printed = [
        {**point, "address": 40001 + point["address"]} for point in sound.document["points"]
    ]
    odd = [{**p, "address": a, "type": "u32"} for p, a in zip(printed, (1, 3), strict=True)]
    for changed in (printed, odd):
        assert "base" in rules(sound._replace(document=document), points=changed)
        assert "base" not in rules(sound, points=changed)


def test_a_block_beyond_the_standard_and_a_missing_source_are_found(sound: Source):
    far = points(sound, scale_register={"address": 126, "type": "i16"})
    assert rules(sound, points=far) == {"meaning"}
    provenance = {**sound.document["provenance"], "sources": [" "], "confidence": "high"}
    assert rules(sound, provenance=provenance) == {"sources"}


def test_no_vectors_is_an_error_and_a_float_counter_a_warning(sound: Source):
    assert "unproven" in rules(sound, vectors=[])
    first, second = sound.document["points"]
    counter = {**second, "type": "f32", "scale": "1"}
    assert "float" in rules(sound, points=[first, counter])


def test_a_file_under_another_name_is_found(sound: Source, tmp_path: Path):
    moved = sound.path.rename(tmp_path / "other.toml")
    assert "id" in {finding.rule for finding in lint_source(read_source(moved))}


def test_what_the_schema_refuses_is_one_finding(sound: Source, tmp_path: Path):
    path = tmp_path / "broken.toml"
    path.write_text(sound.path.read_text("utf-8").replace("vendor", "vendr"), "utf-8")
    [finding] = lint_source(read_source(path))
    assert finding.rule == "schema" and "vendr" in finding.text
