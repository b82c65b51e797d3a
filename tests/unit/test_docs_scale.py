"""The sizing in docs/scale.md follows from the figures above it."""

import math
import re

from .source_tree import ROOT

TEXT = (ROOT / "docs" / "scale.md").read_text("utf-8")

_UNITS = {"GB": 10**9, "TB": 10**12, "PB": 10**15}
_DAY_S = 86_400


def measured(row: str, pattern: str) -> float:
    """The figure of a row of the table of measurements."""
    (line,) = [line for line in TEXT.splitlines() if line.startswith(f"| {row} |")]
    found = re.search(pattern, line)
    assert found is not None, line
    return float(found[1].replace(",", ""))


def sizes() -> list[list[str]]:
    lines = TEXT.partition("| gateways | readings/s |")[2].splitlines()[2:]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return rows[: [len(row) for row in rows].index(1)]


def number(text: str) -> float:
    value, _, unit = text.replace(",", "").partition(" ")
    return float(value) * _UNITS.get(unit, 1)


def test_each_line_is_what_the_measured_figures_make_of_it():
    rate = measured("the same with batches of 240 readings, PostgreSQL", r"([\d,]+) readings/s")
    size = measured(
        "a reading in PostgreSQL, raw record and indexes included", r"([\d.]+) bytes c"
    )
    rows = sizes()
    assert len(rows) == 4 and number(rows[-1][0]) == 1_000_000
    for gateways, readings, receivers, day, year in rows:
        assert number(readings) == number(gateways) * 4  # 8 meters x 30 points a minute
        assert number(receivers) == math.ceil(number(readings) / (rate / 2))
        daily = number(readings) * _DAY_S * size
        assert abs(number(day) / daily - 1) < 0.02
        assert abs(number(year) / (daily * 365) - 1) < 0.02


def test_what_is_said_beside_the_table_follows_too():
    large = measured("one receiver on PostgreSQL, stored and acknowledged", r"([\d,]+) readings/s")
    small = measured("the same with batches of 240 readings, PostgreSQL", r"([\d,]+) readings/s")
    ratio = measured("the same with batches of 240 readings, PostgreSQL", r": ([\d.]+) of")
    assert abs(large * ratio / small - 1) < 0.01
    assert f"need {math.ceil(4_000_000 / (large / 2))} receivers there" in TEXT
    compaction = measured("compaction", r"([\d,]+) readings/s")
    assert f"keeps up with {compaction // 4 // 5_000 * 5_000:,.0f} gateways" in TEXT
