"""The Markdown of the documentation, read: blocks, tables, headings, and parts made from code."""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from edge.__main__ import VERBS
from edge.core.errors.table import TABLE
from edge.ports.linux.files import PROFILES
from hil_tests.emulator.scenario import SCENARIO_DIR

from .contract_golden import write_golden
from .source_tree import ROOT
from .test_docs_golden import GOLDEN, golden_text, write_elements

DOCS = ROOT / "docs"
SCENARIO = SCENARIO_DIR / "scenario.schema.json"
PAGES = [*sorted(DOCS.rglob("*.md")), *(ROOT / f"{n}.md" for n in ("README", "CHANGELOG"))]
REGENERATE = "python -m tests.unit.test_docs"

_FENCE = re.compile(r"^( *)```([^\n]*)\n(.*?)^\1```$", re.M | re.S)
_GENERATED = re.compile(r"(<!-- generated: (\S+) -->\n)(.*?)(<!-- end -->)", re.S)


class Block(NamedTuple):
    """A fenced block, its indentation taken away."""

    page: Path
    text: str


def blocks(info: str) -> list[Block]:
    """Every block of the documentation with these words after the fence."""
    return [
        Block(page, re.sub(f"^{indent}", "", text, flags=re.M))
        for page in PAGES
        for indent, words, text in _FENCE.findall(page.read_text("utf-8"))
        if words == info
    ]


def cells(page: Path, marker: str) -> list[list[str]]:
    """The rows of the table that follows `<!-- marker -->`, without its head."""
    return _rows(page.read_text("utf-8").partition(f"<!-- {marker} -->\n")[2])


def cells_under(page: Path, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading."""
    text = page.read_text("utf-8").partition(f"\n## {heading}\n")[2]
    return _rows(text[text.index("\n|") + 1 :])


def _rows(text: str) -> list[list[str]]:
    lines = []
    for line in text.splitlines():
        if not line.startswith("|"):
            break
        lines.append([cell.strip() for cell in line.strip("|").split("|")])
    return lines[2:]


def slugs(page: Path) -> set[str]:
    """The anchors of a page's headings."""
    heads = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


def schema_keys(schema: dict[str, Any]) -> dict[str, tuple[dict[str, Any], bool]]:
    """Key path -> (its schema, is required), [] for the tables of an array."""
    return dict(_keys(schema, schema.get("$defs", {}), ""))


def _keys(
    schema: dict[str, Any], shared: dict[str, Any], path: str
) -> Iterator[tuple[str, tuple[dict[str, Any], bool]]]:
    for name, inside in schema["properties"].items():
        inside = _resolve(inside, shared)
        is_required = name in schema.get("required", ())
        rows = _resolve(inside.get("items", {}), shared)
        if "properties" in rows:
            yield from _keys(rows, shared, f"{path}{name}[].")
            continue
        # A table that must be there goes without saying; one that may be absent is a key.
        if "properties" not in inside or (path and not is_required):
            yield path + name, (inside, is_required)
        if "properties" in inside:
            yield from _keys(inside, shared, f"{path}{name}.")


def _resolve(schema: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """What a schema means: its reference, overlaid with what stands beside it."""
    if "$ref" not in schema:
        return schema
    return {**shared[schema["$ref"].rpartition("/")[2]], **schema}


# Parts that are made from code, each between `<!-- generated: name -->` and `<!-- end -->`.

_AREAS = {
    "bus": "On the line",
    "device": "From a station",
    "config": "Configuration",
    "usage": "Command line",
    "data": "Values and records",
    "store": "The gateway's journal",
    "cloud": "The receiver's database",
    "sync": "Between gateway and cloud",
    "api": "From the HTTP API",
    "demo": "Demonstration",
}

_RULE = "|---|---|---|---|---|---|"

_STATUSES = {
    1: "a process of the demonstration ended by itself, or a bug",
    2: "wrong use of the command line",
    65: "data that do not hold",
    69: "the broker or a database server cannot be used",
    74: "the journal or the database cannot be used",
    75: "the line failed",
    76: "a station answered with an exception",
    78: "the configuration cannot be used",
    80: "the serial port cannot be used",
}


def write_errors() -> str:
    """docs/errors.md: one table an area."""
    lines = []
    for area in dict.fromkeys([*_AREAS, *(code.partition(".")[0] for code in TABLE)]):
        lines += ["", f"## {_AREAS.get(area, area)}", ""]
        lines += ["| code | exit | what happened | next | 发生了什么 | 下一步 |", _RULE]
        for code, (status, en, zh, next_en, next_zh) in TABLE.items():
            if code.startswith(area + "."):
                texts = " | ".join(text.replace("|", "\\|") for text in (en, next_en, zh, next_zh))
                lines.append(f"| `{code}` | {status} | {texts} |")
    return "\n".join([*lines, ""]) + "\n"


def write_exit_statuses() -> str:
    """docs/gateway.md: status, what it means, its codes."""
    lines = ["| status | meaning | codes |", "|---|---|---|"]
    for status in sorted({row[0] for row in TABLE.values()}):
        codes = ", ".join(f"`{code}`" for code, row in TABLE.items() if row[0] == status)
        lines.append(f"| {status} | {_STATUSES.get(status, '')} | {codes} |")
    return "\n".join(lines) + "\n"


def write_profiles() -> str:
    """docs/profiles.md: what is shipped."""
    lines = ["| profile | device | class | points | confidence |", "|---|---|---|---|---|"]
    for path in sorted(PROFILES.glob("*.toml")):
        profile = tomllib.loads(path.read_text("utf-8"))
        link = f"[{profile['id']}](../edge/profiles/{path.name})"
        name = f"{profile['vendor']} {profile['model']}"
        also = "".join(f", {model}" for model in profile.get("also", ()))
        provenance = profile["provenance"]
        trust = f"{provenance['confidence']}: {provenance['basis']}"
        count = len(profile["points"])
        lines.append(f"| {link} | {name}{also} | {profile['class']} | {count} | {trust} |")
    return "\n".join(lines) + "\n"


def write_scenario_keys() -> str:
    """docs/emulator.md: every key of a scenario, from its schema."""
    schema = json.loads(SCENARIO.read_text("utf-8"))
    lines = ["| key | default | values | meaning |", "|---|---|---|---|"]
    for key, (inside, is_required) in schema_keys(schema).items():
        default = "-" if is_required else inside.get("default", "none")
        values = _values(inside, schema["$defs"])
        lines.append(f"| `{key}` | {default} | {values} | {inside.get('description', '')} |")
    return "\n".join(lines) + "\n"


def _values(schema: dict[str, Any], shared: dict[str, Any]) -> str:
    """What a key may hold, in words."""
    schema = _resolve(schema, shared)
    if "oneOf" in schema:
        return " or ".join(_values(choice, shared) for choice in schema["oneOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(
            json.dumps(v).strip('"') for v in schema.get("enum", [schema.get("const")])
        )
    if "minimum" in schema and "maximum" in schema:
        decimals = ", decimals allowed" if schema["type"] == "number" else ""
        return f"{schema['minimum']} to {schema['maximum']}{decimals}"
    if schema.get("type") == "array":
        return "list of " + _values(schema["items"], shared)
    if schema.get("type") == "object":
        return "table, values " + _values(schema["additionalProperties"], shared)
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join({"string": "text"}.get(kind, kind) for kind in kinds)


def write_commands() -> str:
    """README.md: every verb."""
    lines = ["| verb | what it does |", "|---|---|"]
    lines += [f"| `{verb}` | {text} |" for verb, (_, text) in VERBS.items()]
    return "\n".join(lines) + "\n"


WRITERS: dict[str, Callable[[], str]] = {
    "commands": write_commands,
    "scenario-keys": write_scenario_keys,
    "errors": write_errors,
    "exit-statuses": write_exit_statuses,
    "profiles": write_profiles,
    "golden": write_elements,
}


def generated_parts() -> list[tuple[Path, str, str]]:
    """(page, name, text as it stands) of every generated part."""
    return [
        (page, name, text)
        for page in PAGES
        for _, name, text, _ in _GENERATED.findall(page.read_text("utf-8"))
    ]


def regenerate() -> None:
    """Write every part that is made from code, the golden example first."""
    GOLDEN.write_text(golden_text(), "utf-8")
    write_golden()
    for page in {page for page, _, _ in generated_parts()}:
        text = _GENERATED.sub(
            lambda found: found[1] + WRITERS[found[2]]() + found[4], page.read_text("utf-8")
        )
        page.write_text(text, "utf-8")
