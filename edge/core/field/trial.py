"""Trial decode: raw registers read as every type and order, the plausible reading first, and why.

Nothing is known of the device but what its registers hold. A wrong order of words scatters the
exponents of floats and the high halves of integers, so sizes alone tell most readings apart;
mains voltage and frequency, printable text and power = voltage x current x power factor tell
the rest.
"""

from collections import namedtuple

from edge.core.field.plausible import SMALL, judge_float, judge_integer, judge_text, power_fits
from edge.core.numbers.words import WIDTHS, decode_ratio, join_words

#: One way to read the registers. score: 0..100; reason: a key of `REASONS` with the index of the
#: value it speaks of; values: (numerator, denominator) or None per value, in wire order; text:
#: for kind "str"; also: (kind, word_order, byte_order) of readings with the very same values.
Trial = namedtuple(
    "Trial",
    ("kind", "word_order", "byte_order", "score", "reason", "index", "values", "text", "also"),
)

#: Tried in this order; of two equal scores the first stands.
KINDS = ("f32", "u32", "i32", "u16", "i16", "f64", "u64", "i64", "bcd32", "bcd16")
ORDERS = (("big", "big"), ("little", "big"), ("big", "little"), ("little", "little"))

#: An unusual order must be better than the usual one by this to come first.
_ORDER_COST = {
    ("big", "big"): 0,
    ("little", "big"): 2,
    ("big", "little"): 25,
    ("little", "little"): 27,
}

#: The cross-check adds this, since three values would have to agree by chance.
_POWER_BONUS = 5


def rank(registers: tuple[int, ...], kinds: tuple[str, ...] = KINDS) -> tuple[Trial, ...]:
    """Every reading of `registers` that their number allows, the most plausible first.

    registers: 1..125 of one read, in wire order. Readings with equal values are one entry.
    """
    trials = []
    for kind in kinds:
        if len(registers) % WIDTHS[kind] == 0:
            for word_order, byte_order in ORDERS:
                if WIDTHS[kind] > 1 or word_order == "big":
                    trials.append(_try(registers, kind, word_order, byte_order))
    for byte_order in ("big", "little"):
        trials.append(_try_text(registers, byte_order))
    merged = _merge(trials)
    order = sorted(range(len(merged)), key=lambda i: (-merged[i].score, i))
    return tuple([merged[i] for i in order])


def _try(registers: tuple[int, ...], kind: str, word_order: str, byte_order: str) -> Trial:
    width = WIDTHS[kind]
    values = []
    judged = []
    for at in range(0, len(registers), width):
        raw = join_words(registers[at : at + width], word_order, byte_order)
        ratio = decode_ratio(raw, kind)
        values.append(ratio)
        if raw == 0:
            continue  # zero is as likely in every type
        judge = judge_float if kind[0] == "f" else judge_integer
        score, reason = judge(raw, ratio, kind)
        judged.append((score, reason, at // width))
    score, reason, index = _sum_up(judged)
    if kind[0] == "f" and score >= SMALL and power_fits(values):
        score, reason, index = min(100, score + _POWER_BONUS), "power", 0
    cost = _ORDER_COST[(word_order, byte_order)]
    score = max(0, score - (2 * cost if width == 1 else cost))
    return Trial(kind, word_order, byte_order, score, reason, index, tuple(values), "", ())


def _sum_up(judged: list[tuple[int, str, int]]) -> tuple[int, str, int]:
    """(score, reason, index) of a reading: one bad value weighs as much as the rest together."""
    if not judged:
        return SMALL, "zeros", 0
    scores = [score for score, _, _ in judged]
    worst = min(scores)
    score = (sum(scores) // len(scores) + worst) // 2
    if worst < SMALL // 2:
        shown = worst
    else:
        shown = max(scores)
    for found, reason, index in judged:
        if found == shown:
            return score, reason, index
    return score, "", 0


def _try_text(registers: tuple[int, ...], byte_order: str) -> Trial:
    data = b""
    for register in registers:
        pair = bytes((register >> 8, register & 0xFF))
        data += pair if byte_order == "big" else bytes((pair[1], pair[0]))
    score, text = judge_text(data)
    score = max(0, score - _ORDER_COST[("big", byte_order)])
    return Trial("str", "big", byte_order, score, "text", 0, (), text, ())


def _merge(trials: list[Trial]) -> list[Trial]:
    """One entry for all readings with the same values, the best of them in front."""
    kept: list[list[Trial]] = []
    for trial in trials:
        for group in kept:
            if trial.kind != "str" and group[0].values == trial.values:
                group.append(trial)
                break
        else:
            kept.append([trial])
    merged = []
    for group in kept:
        best = group[0]
        for trial in group:
            if trial.score > best.score:
                best = trial
        also = tuple([(t.kind, t.word_order, t.byte_order) for t in group if t is not best])
        merged.append(Trial(*(tuple(best)[:-1] + (also,))))
    return merged
