"""Decode vectors of a profile: registers and the reading they must give."""

from typing import Any, NamedTuple

from edge.app.cli.profiles_files import Source
from edge.core.bus.profile import Point, Profile, parse_profile
from edge.core.numbers import words
from edge.core.numbers.fixed import format_decimal
from edge.core.numbers.quality import NAMES, Quality


class Result(NamedTuple):
    """One vector; both sides are a decimal, a text, or the name of a quality in brackets."""

    point: str
    wanted: str
    found: str


def run_vectors(source: Source) -> list[Result]:
    """Every vector of a profile, decoded; raises ProfileError for one that is none."""
    profile = parse_profile(source.profile_document)
    points = {point.name: point for point in profile.points + profile.identity}
    return [_run(profile, points, vector) for vector in source.document.get("vectors", ())]


def _run(profile: Profile, points: dict[str, Point], vector: dict[str, Any]) -> Result:
    wanted = vector.get("reading", f"[{vector.get('quality', 'neither reading nor quality')}]")
    point = points.get(vector["point"])
    if point is None:
        return Result(vector["point"], wanted, "[no such point]")
    return Result(point.name, wanted, decode(profile, point, tuple(vector["registers"])))


def decode(profile: Profile, point: Point, registers: tuple[int, ...]) -> str:
    """What the gateway makes of a point's registers, as people read it."""
    if point.kind == "str":
        return profile.decode_text(point, registers) or "[sentinel]"
    value, quality = profile.decode(point, registers)
    if value is None:
        return f"[{NAMES[quality]}]"
    return (
        format_decimal(value, point.places) if quality == Quality.GOOD else f"[{NAMES[quality]}]"
    )


def form_of(point: Point) -> tuple[Any, ...]:
    """What two points must share for a vector of one to prove the other."""
    terms = tuple((t.address - point.address, t.kind, t.scale) for t in point.terms)
    exponent = point.exponent and point.exponent[1]
    return (point.kind, terms, point.offset, point.places, exponent, point.sentinels)


def unproven(source: Source) -> list[str]:
    """Points and sentinels that no vector shows, one line each."""
    profile = parse_profile(source.profile_document)
    points = {point.name: point for point in profile.points + profile.identity}
    vectors = [v for v in source.document.get("vectors", ()) if v["point"] in points]
    proven = {form_of(points[v["point"]]) for v in vectors if "reading" in v}
    missing = []
    for point in profile.points:
        if form_of(point) not in proven:
            proven.add(form_of(point))
            missing.append(f"no vector for the form of {point.name}")
    shown = {pair for v in vectors if "quality" in v for pair in _patterns(profile, points, v)}
    for kind, raw in _sentinels(profile):
        if (kind, raw) not in shown:
            missing.append(f"no vector for the sentinel 0x{raw:X} of {kind}")
    return missing


def _sentinels(profile: Profile) -> list[tuple[str, int]]:
    """(type, raw pattern) of every sentinel, those of single points included."""
    found = {(kind, raw) for kind in profile.sentinels for raw in profile.sentinels[kind]}
    for point in profile.points:
        found |= {(term.kind, raw) for term in point.terms for raw in point.sentinels}
    return sorted(found)


def _patterns(
    profile: Profile, points: dict[str, Point], vector: dict[str, Any]
) -> list[tuple[str, int]]:
    """(type, raw pattern) of every term in the registers of a vector."""
    point = points[vector["point"]]
    found = []
    for term in point.terms:
        first = term.address - point.address
        part = tuple(vector["registers"][first : first + words.WIDTHS[term.kind]])
        raw = words.raw_of(part, term.kind, profile.word_order, profile.byte_order)
        found.append((term.kind, raw))
    return found
