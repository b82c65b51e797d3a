"""Prometheus text, read strictly: what `promtool check metrics` would refuse is refused here.

Written from the exposition format's description (version 0.0.4), apart from the code under test.
"""

import re
from typing import NamedTuple

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
_SAMPLE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (-?[0-9]+(?:\.[0-9]+)?)")

KINDS = ("counter", "gauge")


class Sample(NamedTuple):
    labels: dict[str, str]
    value: float


def parse_exposition(text: str) -> dict[str, list[Sample]]:
    """Samples by family. Fails on anything out of form, order or convention."""
    assert text.endswith("\n") and "\r" not in text
    families: dict[str, list[Sample]] = {}
    kinds: dict[str, str] = {}
    helped = ""
    for line in text.splitlines():
        if line.startswith("# HELP "):
            helped, _, what = line[7:].partition(" ")
            assert _NAME.fullmatch(helped) and what and helped not in families, line
        elif line.startswith("# TYPE "):
            name, _, kind = line[7:].partition(" ")
            assert name == helped and kind in KINDS and name not in kinds, line
            assert name.endswith("_total") == (kind == "counter"), line
            kinds[name] = kind
            families[name] = []
        else:
            _take_sample(line, helped, families)
    assert all(families.values()), "a family without samples"
    assert set(families) == set(kinds)
    return families


def _take_sample(line: str, current: str, families: dict[str, list[Sample]]) -> None:
    found = _SAMPLE.fullmatch(line)
    assert found, line
    name, labels, value = found.groups()
    assert name == current and name in families, f"outside of its family: {line}"
    pairs: dict[str, str] = {}
    rest = labels or ""
    while rest:
        label = _LABEL.match(rest)
        assert label and label[1] not in pairs, line
        pairs[label[1]] = label[2]
        rest = rest[label.end() :]
    sample = Sample(pairs, float(value))
    assert all(other.labels != pairs for other in families[name]), f"twice: {line}"
    families[name].append(sample)
