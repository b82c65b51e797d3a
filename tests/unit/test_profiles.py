"""Every shipped profile and SunSpec model: its schema, its meaning, its vectors, its lint."""

import json
import tomllib
from pathlib import Path

import jsonschema
import pytest

from edge.app.cli.profiles_files import PROFILES, SUNSPEC, Source, read_all
from edge.app.cli.profiles_lint import ERROR, lint_source
from edge.app.cli.profiles_vectors import run_vectors, unproven
from edge.core.bus.plan import block_of, line_timing, plan_groups
from edge.core.bus.profile import parse_profile

SOURCES = read_all(with_sunspec=True)
DEVICES = [source for source in SOURCES if not source.is_sunspec]
SCHEMAS = [PROFILES / "profile.schema.json", SUNSPEC / "sunspec.schema.json"]

each = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


def schema_of(source: Source) -> Path:
    return SCHEMAS[source.is_sunspec]


def test_what_ships_is_there():
    assert len(DEVICES) >= 120
    models = {source.document["model"] for source in SOURCES if source.is_sunspec}
    assert models == {101, 102, 103, 113, 124, 201, 203, 213, 802, 803}
    assert len({source.name for source in SOURCES}) == len(SOURCES)


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.name)
def test_the_schemas_are_schemas(schema: Path):
    jsonschema.Draft202012Validator.check_schema(json.loads(schema.read_text("utf-8")))


def test_both_schemas_describe_the_same_points():
    first, second = (json.loads(schema.read_text("utf-8"))["$defs"] for schema in SCHEMAS)
    for name in ("point", "term", "vector"):
        first[name]["properties"].get("address", {}).pop("description", None)
        second[name]["properties"].get("address", {}).pop("description", None)
        assert first[name] == second[name]


@each
def test_a_file_fits_its_schema_for_others_too(source: Source):
    jsonschema.validate(source.document, json.loads(schema_of(source).read_text("utf-8")))
    assert source.fault is None
    first_line = source.path.read_text("utf-8").split("\n")[0]
    assert first_line == f"#:schema ./{schema_of(source).name}"


@each
def test_its_vectors_decode_as_written(source: Source):
    results = run_vectors(source)
    assert results
    assert [r for r in results if r.found != r.wanted] == []
    assert unproven(source) == []


@each
def test_it_has_no_errors(source: Source):
    assert [finding for finding in lint_source(source) if finding.level == ERROR] == []


@each
def test_it_can_be_planned_and_every_value_is_whole(source: Source):
    profile = parse_profile(source.profile_document)
    groups = plan_groups(profile.points, profile, line_timing(9600, 10))
    assert [point for group in groups for point in group] == list(profile.points)
    for block in map(block_of, groups):
        most = profile.max_block_registers * (16 if block.function in (1, 2) else 1)
        assert block.count <= most


def test_a_vector_is_seen_to_fail():
    source = next(source for source in SOURCES if source.name == "eastron_sdm630")
    vectors = [{**vector} for vector in source.document["vectors"]]
    vectors[0]["reading"] = "1.00"
    spoilt = source._replace(document={**source.document, "vectors": vectors})
    assert [r.wanted for r in run_vectors(spoilt) if r.found != r.wanted] == ["1.00"]
    assert "vector" in {finding.rule for finding in lint_source(spoilt)}


@pytest.mark.parametrize("source", DEVICES, ids=lambda source: source.name)
def test_low_confidence_says_why(source: Source):
    provenance = source.document["provenance"]
    if provenance["confidence"] == "low":
        assert "test before use" in provenance["basis"]


def test_the_toml_of_a_profile_stays_readable():
    long = [
        f"{source.name}: {line[:60]}"
        for source in SOURCES
        for line in source.path.read_text("utf-8").split("\n")
        if len(line) > 1000
    ]
    assert long == []
    for source in SOURCES:
        assert tomllib.loads(source.path.read_text("utf-8")) == source.document
