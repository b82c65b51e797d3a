"""The error table and the code that raises its rows fit each other."""

import ast
import re
from typing import NamedTuple

import pytest

from edge.core import errors
from edge.core.errors import BusError, DataError, TallyError, table
from edge.core.errors.table import LANGUAGES, TABLE, describe, exit_status, printable

from .house_rules import within
from .source_tree import ROOT, Module, read_modules

#: Rows that nothing raises yet, each for a reason of its own.
RESERVED: tuple[str, ...] = ()
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
CODE = re.compile(r"[a-z]+\.[a-z_]+")
ERRORS = tuple(
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, TallyError)
)


class Raised(NamedTuple):
    """A construction of one of our errors: where, and the code if it stands there as text."""

    where: str
    codes: tuple[str, ...]


def raised_in(module: Module) -> list[Raised]:
    found = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
        name = node.func.id if isinstance(node.func, ast.Name) else name
        if name in ERRORS:
            code = [*node.args, *(k.value for k in node.keywords if k.arg == "code")][:1]
            found.append(Raised(f"{module.name}:{node.lineno}", literal_codes(code)))
    return found


def literal_codes(argument: list[ast.expr]) -> tuple[str, ...]:
    """The text of the argument, or of both branches of `a if x else b`; () if it is computed."""
    if not argument:
        return ()
    if isinstance(argument[0], ast.IfExp):
        return literal_codes([argument[0].body]) + literal_codes([argument[0].orelse])
    value = argument[0].value if isinstance(argument[0], ast.Constant) else None
    return (value,) if isinstance(value, str) else ()


def strings_of(module: Module) -> set[str]:
    """Every text of a module: a code that is looked up stands in a table or a constant."""
    constants = (node for node in ast.walk(module.tree) if isinstance(node, ast.Constant))
    return {node.value for node in constants if isinstance(node.value, str)}


def unknown_codes(modules: dict[str, Module]) -> list[str]:
    return [
        f"{raised.where}: {code}"
        for module in modules.values()
        for raised in raised_in(module)
        for code in raised.codes
        if code not in TABLE
    ]


#: The table's own rows would make every code look used.
MODULES = {
    name: module
    for name, module in read_modules(ROOT).items()
    if not within(name, ("edge.core.errors",))
}


def test_every_raised_code_is_in_the_table():
    assert unknown_codes(MODULES) == []


def test_every_row_is_raised_somewhere():
    said = {text for module in MODULES.values() for text in strings_of(module)}
    assert sorted(set(TABLE) - said) == sorted(RESERVED)


@pytest.mark.parametrize(
    "text",
    [
        'raise BusError("bus.unheard", station=1)',
        'def f():\n    return errors.DataError(code="data.unheard")',
        'raise SyncError("sync.mac" if x else "sync.unheard")',
    ],
)
def test_a_code_without_a_row_is_seen(text: str):
    module = Module("edge.app.x", ROOT, ast.parse(text), False)
    assert len(unknown_codes({"edge.app.x": module})) == 1


def test_errors_of_others_are_not_ours():
    text = 'raise ValueError("x.y")\nraise BusError("bus.crc")\nraise BusError(CODES[n])'
    module = Module("edge.app.x", ROOT, ast.parse(text), False)
    assert [raised.codes for raised in raised_in(module)] == [("bus.crc",), ()]


def placeholders(code: str) -> list[str]:
    return [name for text in TABLE[code][1:] for name in PLACEHOLDER.findall(text)]


@pytest.mark.parametrize("code", sorted(TABLE))
def test_row(code: str):
    status, *texts = TABLE[code]
    assert CODE.fullmatch(code)
    documented = {int(number) for number in re.findall(r"\b\d+\b", table.__doc__ or "")}
    assert status in documented and 0 < status < 126
    assert len(texts) == 4 and all(text.strip() == text and text for text in texts)
    english, chinese, next_english, next_chinese = texts
    for one, other in ((english, chinese), (next_english, next_chinese)):
        assert set(PLACEHOLDER.findall(one)) == set(PLACEHOLDER.findall(other))
    assert all(name.isidentifier() for name in placeholders(code))
    assert english.isascii() and next_english.isascii()
    assert not chinese.isascii() and not next_chinese.isascii()


def test_an_error_is_described_in_both_languages():
    error = BusError("bus.timeout", station=7, timeout_ms=300)
    assert error.code == "bus.timeout" and error.args == ("bus.timeout",)
    assert LANGUAGES == ("en", "zh")
    english, next_step = describe(error)
    assert english == "station 7 did not answer within 300 ms" and "A/B" in next_step
    chinese, next_step = describe(error, "zh")
    assert "站号 7" in chinese and "300" in chinese and "A/B" in next_step


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("code", sorted(TABLE))
def test_no_placeholder_is_left_when_all_fields_are_there(code: str, language: str):
    error = TallyError(code, **dict.fromkeys(placeholders(code), "x"))
    happened, next_step = describe(error, language)
    assert "{" not in happened + next_step and happened and next_step


def test_what_has_no_number_is_no_record_minus_one():
    for language in LANGUAGES:
        plain = DataError("data.record", seq=-1, reason="not a batch")
        happened = describe(plain, language)[0]
        assert "not a batch" in happened and "-1" not in happened
        assert "17" in describe(DataError("data.record", seq=17, reason="r"), language)[0]


def test_an_unknown_code_is_told_as_it_is():
    error = TallyError("odd.code", station=1)
    assert describe(error) == ("odd.code", "")
    assert exit_status("odd.code") == 1 and exit_status("bus.timeout") == 75


#: C0, DEL and C1: U+009B starts a terminal command just as ESC [ does.
CONTROLS = [*range(0x20), *range(0x7F, 0xA0)]
#: Line separators, and marks that turn the direction of what follows.
TURNING = [0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)]


def test_control_characters_of_a_peer_reach_no_terminal():
    passed = [f"U+{n:04X}" for n in CONTROLS + TURNING if printable(f"a{chr(n)}b") != "a?b"]
    assert passed == []


def test_a_hostile_field_is_cleaned():
    error = TallyError("config.file", file="a\x1b[2J\x9b2Jb", reason="x" * 500)
    happened, _ = describe(error)
    assert happened == "a?[2J?2Jb: " + "x" * 200 + "..."


def test_readable_text_of_any_script_passes():
    text = "Zähler 电表 3 ~ µ²"
    assert printable(text) == text


def test_length_is_capped():
    assert printable("x" * 200) == "x" * 200
    assert printable("x" * 201) == "x" * 200 + "..."
    assert printable("电" * 9, limit=4) == "电" * 4 + "..."


def test_a_field_cannot_smuggle_in_another():
    error = TallyError("bus.port", port="{reason}", reason="busy")
    happened, _ = describe(error)
    assert happened == "serial port {reason} cannot be used: busy"
