"""Every configuration in the documentation is tried, every table of keys held to its schema."""

import copy
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from cloud_sync.keys import read_keys
from edge.app.config import Settings
from edge.app.service import SCHEMA, read_settings
from edge.core.bus.profile import parse_profile
from edge.core.errors import ConfigError
from edge.core.schema import check_document
from edge.ports.linux.files import PROFILES
from hil_tests.emulator.scenario import read_scenario

from .docs_text import DOCS, PAGES, blocks, cells, schema_keys
from .source_tree import ROOT


def place_site(folder: Path, text: str) -> Path:
    """A gateway.toml with the key file that it names."""
    for name in ("device.key", "boiler-house.key"):
        (folder / name).write_text("ab" * 32)
        (folder / name).chmod(0o600)
    (tariff,) = blocks("toml tariff")
    (folder / "hours.toml").write_text(tariff.text)
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def gateway_texts() -> list[str]:
    example = (DOCS / "examples" / "gateway.toml").read_text("utf-8")
    return [example, *(block.text for block in blocks("toml gateway"))]


def test_every_gateway_in_the_docs_is_accepted(tmp_path: Path):
    assert len(gateway_texts()) >= 2
    for text in gateway_texts():
        settings, _ = read_settings(place_site(tmp_path, text))
        assert settings.devices and settings.streams


def test_the_example_has_every_key():
    document = tomllib.loads(gateway_texts()[0])
    assert set(schema_keys(json.loads(SCHEMA.read_text()))) == set(document_keys(document))


def document_keys(document: dict, path: str = "") -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from ([path + key] if key in ("stack", "instrument", "coal") else [])
            yield from document_keys(value, f"{path}{key}.")
        elif isinstance(value, list) and isinstance(value[0], dict):
            for row in value:
                yield from document_keys(row, f"{path}{key}[].")
        else:
            yield path + key


def test_every_scenario_profile_and_key_file_in_the_docs_is_accepted(tmp_path: Path):
    place_site(tmp_path, "")
    read = {"scenario": read_scenario, "profile": read_profile, "keys": read_keys}
    for kind, function in read.items():
        assert blocks(f"toml {kind}"), kind
        for block in blocks(f"toml {kind}"):
            path = tmp_path / f"{kind}.toml"
            path.write_text(block.text)
            path.chmod(0o600)
            assert function(path)


def read_profile(path: Path) -> Any:
    document = tomllib.loads(path.read_text())
    check_document(document, json.loads((PROFILES / "profile.schema.json").read_text()), str(path))
    return parse_profile(document)


def broken(document: Any) -> Iterator[Any]:
    """Copies of a document, each with one key gone, one of another type, or one too many."""
    for path in paths_of(document):
        for change in ("remove", "wrong type", "extra"):
            twin = copy.deepcopy(document)
            table = twin
            for step in path[:-1]:
                table = table[step]
            if change == "remove":
                del table[path[-1]]
            elif change == "wrong type":
                table[path[-1]] = [[]]
            elif isinstance(table, dict):
                table["sttaion"] = 1
            yield twin


def paths_of(value: Any) -> Iterator[tuple[Any, ...]]:
    items: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inside in items:
        yield (key,)
        if isinstance(inside, dict | list):
            yield from ((key, *rest) for rest in paths_of(inside))


def is_accepted(document: Any, schema: dict) -> bool:
    try:
        check_document(document, schema, "docs")
    except ConfigError:
        return False
    return True


@pytest.mark.parametrize("kind", ["gateway", "profile"])
def test_jsonschema_agrees_about_the_examples_and_every_break_of_them(kind: str):
    path = {"gateway": SCHEMA, "profile": PROFILES / "profile.schema.json"}[kind]
    schema = json.loads(path.read_text())
    oracle = jsonschema.Draft202012Validator(schema)
    texts = gateway_texts() if kind == "gateway" else [b.text for b in blocks("toml profile")]
    refused = 0
    for text in texts:
        document = tomllib.loads(text)
        assert oracle.is_valid(document) and is_accepted(document, schema)
        for twin in broken(document):
            assert is_accepted(twin, schema) == oracle.is_valid(twin), twin
            refused += not oracle.is_valid(twin)
    assert refused > 50


def key_tables() -> list[tuple[Path, Path]]:
    return [
        (page, ROOT / source)
        for page in PAGES
        for source in re.findall(r"<!-- keys: (\S+) -->", page.read_text("utf-8"))
    ]


@pytest.mark.parametrize("page, source", key_tables(), ids=lambda path: path.name)
def test_a_table_of_keys_is_that_of_the_schema(page: Path, source: Path):
    keys = schema_keys(json.loads(source.read_text("utf-8")))
    rows = {row[0].strip("`"): row for row in cells(page, f"keys: {source.relative_to(ROOT)}")}
    assert list(rows) and set(rows) == set(keys)
    for key, (schema, is_required) in keys.items():
        default, text = rows[key][1], " ".join(rows[key][2:])
        assert (default == "-") == is_required, key
        said = re.search(r"default ([\w.]+)", schema.get("description", ""))
        wanted = schema.get("default", said.group(1) if said else None)
        assert wanted in (None, "all") or default == str(wanted), key
        bounds = [schema[word] for word in ("minimum", "maximum") if word in schema]
        assert len(bounds) < 2 or "{} to {}".format(*bounds) in text, key
        choices = schema.get("enum", [])
        assert all(re.search(rf"(?<!\w){re.escape(str(c))}(?!\w)", text) for c in choices), key


def test_the_defaults_in_the_table_are_those_of_the_code(tmp_path: Path):
    settings, _ = read_settings(place_site(tmp_path, blocks("toml gateway")[0].text))
    rows = cells(DOCS / "gateway.md", "keys: edge/app/gateway.schema.json")
    table = {row[0].strip("`"): row[1] for row in rows}
    assert table | {key: str(value) for key, value in defaults(settings).items()} == table


def defaults(settings: Settings) -> dict[str, object]:
    bus, device = settings.buses[0], settings.devices[0]
    return {
        "gateway.commit_ms": settings.commit_ms,
        "uplink.keepalive_s": settings.keepalive_s,
        "uplink.linger_ms": settings.linger_ms,
        "accounting.interval_s": settings.interval_ms // 1000,
        "accounting.factors": settings.factors[0].set_id,
        "bus[].baud": bus.baud,
        "bus[].format": bus.format,
        "bus[].reply_timeout_ms": bus.reply_timeout_ms,
        "device[].poll_ms": device.poll_ms,
    }
