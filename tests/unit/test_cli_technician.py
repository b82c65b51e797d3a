"""The technician's page says what the tools say, and small questions to a person's input."""

import re

import pytest
import serial

from edge.app.cli.bus import check_format, parse_line_settings, parse_numbers
from edge.app.cli.bus_causes import CAUSES
from edge.app.cli.bus_identify import naming_us, read_library
from edge.app.cli.meter import OUTCOMES
from edge.app.cli.scan import _identity_lines
from edge.app.cli.scan_text import TEXTS
from edge.core.errors import UsageError
from edge.core.field.presence import LIKELY_SETTINGS, STANDARD_BAUDS

from .source_tree import ROOT

PLACE = re.compile(r"{([a-z_]+)}")

PAGE = (ROOT / "docs" / "technician.md").read_text("utf-8")


@pytest.mark.parametrize("cause", CAUSES)
def test_every_cause_stands_in_the_page_as_the_tool_says_it(cause):
    english, _, following, _ = CAUSES[cause]
    assert f"| `{cause}` | {english} | {following} |" in PAGE


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_stands_in_the_page(outcome):
    assert f"\n| `{outcome}` | " in PAGE


def test_numbers_are_parsed_as_ranges():
    assert parse_numbers("1-3,9, 5", "--stations", 1, 247) == (1, 2, 3, 5, 9)
    assert parse_numbers("247", "--stations", 1, 247) == (247,)


@pytest.mark.parametrize("text", ["", "0", "248", "3-1", "a", "1-", "-3", "1,,2", "1-300", "²"])
def test_numbers_that_are_none_are_refused(text):
    with pytest.raises(UsageError):
        parse_numbers(text, "--stations", 1, 247)


def test_line_settings_are_the_likeliest_or_those_asked_for():
    assert parse_line_settings("", "", 3) == LIKELY_SETTINGS[:3]
    assert parse_line_settings("19200, 9600", "8n1", 3) == ((9600, "8N1"), (19200, "8N1"))
    assert len(parse_line_settings("9600", "", 1)) > 1


@pytest.mark.parametrize(
    ("bauds", "formats"),
    [("fast", ""), ("10", ""), ("", "9N1"), ("9600,", ""), ("12345", ""), ("²", "")],
)
def test_line_settings_that_are_none_are_refused(bauds, formats):
    with pytest.raises(UsageError):
        parse_line_settings(bauds, formats, 3)


def test_naming_has_a_bound_that_a_slower_line_raises():
    library = read_library()
    fast_us, slow_us = naming_us(library, 9600, "8N1"), naming_us(library, 1200, "8N1")
    assert 200 * 250_000 < fast_us < slow_us


def test_the_standard_rates_are_those_that_pyserial_lists():
    listed = tuple(rate for rate in serial.Serial.BAUDRATES if 300 <= rate <= 921_600)
    assert listed == STANDARD_BAUDS
    assert {baud for baud, _ in LIKELY_SETTINGS} <= set(STANDARD_BAUDS)


def test_a_format_is_written_in_capitals():
    assert check_format("8e1") == "8E1"


@pytest.mark.parametrize("name", TEXTS)
def test_what_scan_says_has_the_same_fields_in_both_languages(name):
    english, chinese = TEXTS[name]
    assert sorted(PLACE.findall(english)) == sorted(PLACE.findall(chinese))
    assert english.isascii() and any("\u4e00" <= letter <= "\u9fff" for letter in chinese)


def test_scan_names_stations_in_the_language_of_who_asks(monkeypatch):
    best = {"reason": "plausible", "detail": "230 V", "score": 70, "profile": "eastron_sdm630"}
    fact = {"profile": None, "candidates": [best], "says": ""}
    monkeypatch.setenv("CARBONTALLY_LANG", "en")
    assert _identity_lines(3, fact).startswith("station 3 may be one of\n   70 eastron_sdm630: pl")
    monkeypatch.setenv("CARBONTALLY_LANG", "zh")
    lines = _identity_lines(3, fact).splitlines()
    assert lines[0] == "站号 3 可能是以下之一" and "数值合理" in lines[1]
