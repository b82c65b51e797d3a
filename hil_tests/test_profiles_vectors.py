"""The decode vectors of every profile through the judge, which shares no code with the gateway."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from hil_tests.emulator.judge import judge_point, judge_text
from hil_tests.emulator.profile import PROFILE_DIR, Point, Profile, parse_point, read_profile

PROFILES = sorted(PROFILE_DIR.glob("*.toml"))
MODELS = sorted((PROFILE_DIR / "sunspec").glob("*.toml"))


def read(path: Path) -> tuple[Profile, dict[str, Any]]:
    """A profile or a SunSpec model, whose offsets are read as addresses, and its document."""
    document = tomllib.loads(path.read_text("utf-8"))
    if path in PROFILES:
        return read_profile(path), document
    sentinels = {kind: tuple(raws) for kind, raws in document.get("sentinels", {}).items()}
    points = tuple(parse_point(row, 3) for row in document["points"])
    orders = (document["word_order"], document["byte_order"])
    return Profile(document["id"], *orders, 125, points, (), sentinels), document


def judge(profile: Profile, point: Point, words: list[int]) -> str:
    """The figure as vectors write it."""
    assert len(words) == point.width
    if point.type == "str":
        return judge_text(words, profile) or "[sentinel]"
    mantissa = judge_point(words, point, profile)
    if mantissa is None:
        return "[sentinel]"
    if not -(1 << 63) <= mantissa < 1 << 63:
        return "[range]"
    digits = str(abs(mantissa)).rjust(point.places + 1, "0")
    whole, decimals = digits[: len(digits) - point.places], digits[len(digits) - point.places :]
    return ("-" if mantissa < 0 else "") + whole + ("." + decimals if decimals else "")


@pytest.mark.parametrize("path", PROFILES + MODELS, ids=lambda path: path.stem)
def test_vectors_judge_as_written(path: Path) -> None:
    profile, document = read(path)
    for vector in document["vectors"]:
        wanted = vector.get("reading", f"[{vector.get('quality')}]")
        point = profile.point(vector["point"])
        assert judge(profile, point, vector["registers"]) == wanted, vector
