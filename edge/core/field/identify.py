"""Naming a station: what to ask it, and which profile its answers fit, with the reason.

Four witnesses, the surest first: what the station says of itself (function 43), SunSpec, the
identification register that a profile names, and whether the values at a profile's addresses are
what such a device would show.
"""

from collections import namedtuple

from edge.core.bus.points import Point, width
from edge.core.bus.profile import Profile
from edge.core.numbers.quality import Quality
from edge.core.numbers.words import WIDTHS, join_words

#: One read: function 3 or 4, wire address, register count.
Question = namedtuple("Question", ("function", "address", "count"))

#: A profile that may be the station's. score: 0..100; reason: a key of the tools' texts; detail:
#: what was seen.
Candidate = namedtuple("Candidate", ("profile", "score", "reason", "detail"))

#: Below this nothing speaks for a profile.
SCORE_MIN = 40

#: unit -> (low, high, points for a value within, whether one outside speaks against it).
_BANDS = {
    "Hz": (45, 65, 20, True),
    "V": (85, 480, 15, True),
    "Cel": (-40, 600, 4, True),
    "%": (0, 100, 4, True),
    "kW": (-20_000, 20_000, 4, False),
    "W": (-20_000_000, 20_000_000, 4, False),
    "bar": (0, 400, 4, False),
    "A": (-6_000, 6_000, 4, False),
}
_SIGNATURE_POINTS = 4
_PLAUSIBLE_BASE = 35
_PLAUSIBLE_MAX = 88

#: Variants of a model lack a lesser register now and then, never voltage or frequency.
_REFUSAL_COST = 8

#: Unused registers read zero in most devices: zero where it is expected ranks and names nothing.
_ZERO_SCORE = 45


def signature(profile: Profile) -> tuple[Point, ...]:
    """Up to four points whose values tell most about the model: frequency and voltage first."""
    chosen = []
    for unit in ("Hz", "V", "Cel", "bar", "%", "kW", "W", "A"):
        for point in profile.points:
            plain = point.kind in WIDTHS and point.function in (3, 4)
            if point.unit == unit and plain and point.point_class == "gauge":
                chosen.append(point)
                break
    return tuple(chosen[:_SIGNATURE_POINTS])


def identity_question(document: dict) -> Question | None:
    """The read of the register that a profile recognises its device by."""
    rule = document.get("identification", {})
    if "address" not in rule or not rule.get("expect"):
        return None
    return Question(rule.get("function", 3), rule["address"], rule.get("count", 1))


def point_question(point: Point) -> Question:
    """The read of one point."""
    return Question(point.function, point.address, width(point))


def plan_questions(documents: list[dict], profiles: list[Profile]) -> tuple[Question, ...]:
    """Every read that `judge` may need for these profiles, each once."""
    questions: list[Question] = []
    for document in documents:
        question = identity_question(document)
        if question is not None and question not in questions:
            questions.append(question)
    for profile in profiles:
        for point in signature(profile):
            question = point_question(point)
            if question not in questions:
                questions.append(question)
    return tuple(questions)


def judge(document: dict, profile: Profile, answers: dict) -> Candidate:
    """How well a station fits one profile.

    answers: Question -> registers, or None where the station refused or stayed silent; a question
    that was not asked is missing.
    """
    identity = _judge_identity(document, answers)
    if identity is not None and identity[0] != _ZERO_SCORE:
        return Candidate(profile.id, identity[0], identity[1], identity[2])
    plausible = _judge_values(profile, answers)
    if identity and plausible.reason != "contradicts" and plausible.score < _ZERO_SCORE:
        return Candidate(profile.id, identity[0], identity[1], identity[2])
    return plausible


def _judge_values(profile: Profile, answers: dict) -> Candidate:
    """A verdict by what stands at the addresses of the profile's signature."""
    score, hits, against = _PLAUSIBLE_BASE, [], ""
    for point in signature(profile):
        question = point_question(point)
        registers = answers.get(question)
        if registers is None:
            if question in answers:
                score -= _REFUSAL_COST
                against = against or (point.name if _BANDS[point.unit][2] > 10 else "")
            continue
        weight, shown = _judge_value(profile, point, registers)
        if weight < 0:
            against = point.name
        elif weight > 0:
            score += weight
            hits.append(point.name + " " + shown)
    if against:
        return Candidate(profile.id, 0, "contradicts", against)
    if not hits:
        return Candidate(profile.id, 0, "nothing", "")
    return Candidate(profile.id, min(score, _PLAUSIBLE_MAX), "plausible", ", ".join(hits))


def _judge_identity(document: dict, answers: dict) -> tuple[int, str, str] | None:
    """A verdict by the identification register; None where it says nothing."""
    question = identity_question(document)
    if question is None or question not in answers:
        return None
    registers = answers[question]
    if registers is None:
        return 0, "contradicts", "identification register"
    rule = document["identification"]
    text = b"".join([bytes((r >> 8, r & 0xFF)) for r in registers])
    raw = join_words(registers, document["word_order"], document["byte_order"])
    for expected in rule["expect"]:
        if isinstance(expected, str):
            if expected and text.startswith(expected.encode()):
                return 96, "register", expected
        elif raw == expected:
            if raw == 0:
                return _ZERO_SCORE, "register", "0"
            # A small code in one register may stand there by chance.
            return (96 if raw > 255 else 90), "register", str(raw)
    return 0, "contradicts", "identification register " + str(raw)


def _judge_value(profile: Profile, point: Point, registers: tuple) -> tuple[int, str]:
    """(points for the profile, value shown); negative when the value speaks against it."""
    mantissa, quality = profile.decode(point, registers)
    if quality == Quality.RANGE:
        return -1, ""
    if mantissa is None or mantissa == 0:
        return 0, ""
    low, high, weight, is_strict = _BANDS[point.unit]
    scale = 10**point.places
    if low * scale <= mantissa <= high * scale:
        return weight, _decimal(mantissa, point.places) + " " + point.unit
    return (-1 if is_strict else 0), ""


def _decimal(mantissa: int, places: int) -> str:
    sign = "-" if mantissa < 0 else ""
    digits = str(abs(mantissa))
    while len(digits) <= places:
        digits = "0" + digits
    return sign + digits[: len(digits) - places] + ("." + digits[-places:] if places else "")


def judge_text(document: dict, text: str) -> Candidate | None:
    """A verdict by what the station says of itself; None when the words do not fit.

    text: vendor, product and model names of function 43 or of SunSpec's common model, joined.
    """
    said = _plain(text)
    if _plain(str(document["vendor"])) not in said:
        return None
    for model in [document["model"]] + list(document.get("also", [])):
        for name in str(model).replace("/", " ").split(" "):
            plain = _plain(name)
            if len(plain) >= 4 and plain in said:
                return Candidate(document["id"], 98, "says_so", text)
    return Candidate(document["id"], 60, "vendor_says_so", text)


def _plain(text: str) -> str:
    plain = ""
    for character in text.lower():
        if character.isalpha() or character.isdigit():
            plain += character
    return plain


def rank(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    """Those that something speaks for, the best first, each profile once."""
    kept: list[Candidate] = []
    for candidate in sorted(candidates, key=lambda c: (-c.score, c.profile, c.reason)):
        if candidate.score >= SCORE_MIN and candidate.profile not in [k.profile for k in kept]:
            kept.append(candidate)
    return tuple(kept)


def named(candidates: tuple[Candidate, ...]) -> str | None:
    """The profile the station has without doubt: well ahead of the next; None if none is."""
    if not candidates or candidates[0].score < 85:
        return None
    if len(candidates) > 1 and candidates[0].score - candidates[1].score < 6:
        return None
    return str(candidates[0].profile)
