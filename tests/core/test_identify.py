"""Finding stations and naming them: plans, what a probe brought, and which profile fits."""

from edge.core.bus.profile import parse_profile
from edge.core.bus.rtu import crc16, encode_read
from edge.core.field import identify, presence


def seal(body):
    crc = crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


def point(name, address, unit, kind="u16", scale="0.1"):
    return {
        "name": name,
        "address": address,
        "type": kind,
        "scale": scale,
        "unit": unit,
        "places": 2,
        "class": "gauge",
    }


def document(name, points, **more):
    base = {
        "id": name,
        "vendor": "Maker",
        "model": "M100",
        "function": 3,
        "word_order": "big",
        "byte_order": "big",
        "max_block_registers": 100,
        "points": points,
        "identification": {"method": "none"},
    }
    for key in more:
        base[key] = more[key]
    return base


METER = document(
    "meter", [point("voltage_l1", 0, "V"), point("frequency", 9, "Hz", "u16", "0.01")]
)
CODED = document(
    "coded",
    [point("voltage_l1", 4, "V")],
    vendor="Other",
    model="X5/X6",
    also=["Y7000 plus"],
    identification={"method": "register", "function": 4, "address": 11, "expect": [341, 345]},
)
NAMED = document(
    "named",
    [point("temperature", 1, "Cel")],
    identification={
        "method": "register",
        "function": 3,
        "address": 100,
        "count": 2,
        "expect": ["AB"],
    },
)


def ask(answers):
    """Question -> registers for those given as (function, address): registers."""
    table = {}
    for function, address in answers:
        registers = answers[(function, address)]
        count = len(registers) if registers else 1
        table[identify.Question(function, address, count)] = registers
    return table


def judged(doc, answers):
    return identify.judge(doc, parse_profile(doc), ask(answers))


ZERO = document(
    "zero",
    [point("temperature", 1, "Cel")],
    identification={"method": "register", "function": 3, "address": 10, "expect": [0]},
)


def test_a_zero_that_is_expected_ranks_and_never_names():
    for more in ({}, {(3, 1): (215,)}):
        answers = {(3, 10): (0,)}
        answers.update(more)
        candidate = judged(ZERO, answers)
        assert candidate.reason == "register"
        assert identify.SCORE_MIN <= candidate.score < 85
        assert identify.named((candidate,)) is None
    assert judged(ZERO, {(3, 10): (0,), (3, 1): (65000,)}).reason == "contradicts"
    assert judged(ZERO, {(3, 10): (1,)}).reason == "contradicts"


def test_likely_settings_come_first():
    every = presence.order_settings((), ())
    assert every[0] == (9600, "8N1")
    assert len(every) == len(presence.LIKELY_SETTINGS) == len(set(every))
    assert presence.order_settings((19200,), ("8N2", "8N1")) == ((19200, "8N1"), (19200, "8N2"))
    assert presence.order_settings((300,), ("7E1",)) == ((300, "7E1"),)
    assert presence.order_settings((2400,), ())[0] == (2400, "8E1")
    for setting in presence.order_settings((2400,), ()):
        assert setting[0] == 2400
    for setting in presence.order_settings((), ("8O1",)):
        assert setting[1] == "8O1"


def test_likely_stations_are_asked_everywhere_first():
    plan = presence.plan_scan(tuple(range(1, 21)), ((9600, "8N1"), (2400, "8E1")), (19,))
    first = tuple(range(1, 17)) + (19,)
    assert [tuple(stretch) for stretch in plan] == [
        (9600, "8N1", first),
        (2400, "8E1", first),
        (9600, "8N1", (17, 18, 20)),
        (2400, "8E1", (17, 18, 20)),
    ]


def test_every_station_is_asked_once_at_every_setting():
    settings = presence.order_settings((), ())
    plan = presence.plan_scan(tuple(range(1, 248)), settings, ())
    asked = [(s.baud, s.format, station) for s in plan for station in s.stations]
    assert len(asked) == len(set(asked)) == 247 * len(settings)


def test_the_time_of_a_scan_is_the_wires():
    plan = presence.plan_scan(tuple(range(1, 248)), ((9600, "8N1"),), ())
    # 8 characters of 1042 us, 3.5 of silence, 60 ms of patience.
    assert presence.scan_us(plan, 60) == 247 * (8 * 1042 + 3647 + 60_000)
    assert presence.scan_us(plan, 60) < 60_000_000
    assert presence.reply_us(9600, "8N1") == 7 * 1042 + 3647


def test_any_whole_reply_proves_a_station():
    request = presence.encode_probe(5)
    good, refused = seal(bytes((5, 3, 2, 0, 9))), seal(bytes((5, 0x83, 2)))
    for reply in (good, refused):
        heard = presence.hear(request, reply)
        assert (heard.stations, heard.noise, heard.is_echo) == ((5,), 0, False)


def test_a_late_reply_shows_its_own_station():
    late = seal(bytes((4, 0x83, 2)))
    assert presence.hear(presence.encode_probe(5), late).stations == (4,)


def test_an_echo_is_no_station():
    request = presence.encode_probe(5)
    assert presence.hear(request, request) == ((), True, 0, 0)
    heard = presence.hear(request, request + seal(bytes((5, 0x83, 2))))
    assert (heard.stations, heard.is_echo) == ((5,), True)


def test_noise_and_other_masters_are_counted():
    request = presence.encode_probe(5)
    other = encode_read(9, 3, 0, 2)
    heard = presence.hear(request, b"\xff\x00" + other + seal(bytes((9, 0x83, 2))) + b"\x01")
    assert (heard.stations, heard.requests, heard.noise) == ((9,), 1, 3)


def test_patience_grows_with_what_comes_late():
    wait = presence.Wait(60)
    wait.late(100)
    assert wait.wait_ms == 150
    wait.late(20)
    assert wait.wait_ms == 150
    wait.late(9000)
    assert wait.wait_ms == presence.WAIT_MAX_MS


def test_questions_are_asked_once():
    documents = [METER, CODED, NAMED, dict(METER)]
    questions = identify.plan_questions(documents, [parse_profile(d) for d in documents])
    assert len(questions) == len(set(questions)) == 6
    assert questions[0] == (4, 11, 1)  # identification first


def test_plausible_values_speak_for_a_profile():
    fits = judged(METER, {(3, 0): (2301,), (3, 9): (5002,)})
    assert (fits.profile, fits.reason) == ("meter", "plausible")
    assert fits.detail == "frequency 50.02 Hz, voltage_l1 230.10 V"
    one = judged(METER, {(3, 0): (2301,)})
    assert 0 < one.score < fits.score


def test_absurd_or_refused_values_speak_against_it():
    assert judged(METER, {(3, 0): (2301,), (3, 9): (120,)}).score == 0
    refused = judged(METER, {(3, 0): (2301,), (3, 9): None})
    assert (refused.score, refused.reason, refused.detail) == (0, "contradicts", "frequency")
    assert judged(METER, {(3, 0): (0,), (3, 9): (0,)}).reason == "nothing"


def test_the_identification_register_decides():
    assert judged(CODED, {(4, 11): (345,)}).score == 96
    wrong = judged(CODED, {(4, 11): (1,), (3, 4): (2301,)})
    assert (wrong.score, wrong.reason) == (0, "contradicts")
    assert judged(CODED, {(4, 11): None}).score == 0
    # Not asked: the values speak.
    assert judged(CODED, {(3, 4): (2301,)}).reason == "plausible"


def test_an_identification_text_decides():
    assert judged(NAMED, {(3, 100): (0x4142, 0x4331)}).score == 96
    assert judged(NAMED, {(3, 100): (0x4143, 0x4331)}).score == 0


def test_what_a_station_says_of_itself():
    assert identify.judge_text(CODED, "OTHER Y-7000 v1").score == 98
    vendor = identify.judge_text(CODED, "Other Inc. Z9")
    assert (vendor.score, vendor.reason) == (60, "vendor_says_so")
    assert identify.judge_text(CODED, "Nobody Y7000") is None


def test_candidates_are_ranked_and_named_without_doubt_only():
    make = identify.Candidate
    ranked = identify.rank(
        [
            make("a", 70, "plausible", ""),
            make("b", 96, "register", ""),
            make("c", 0, "nothing", ""),
        ]
    )
    assert [c.profile for c in ranked] == ["b", "a"]
    assert identify.named(ranked) == "b"
    twice = identify.rank([make("a", 50, "plausible", ""), make("a", 90, "register", "")])
    assert [(c.profile, c.score) for c in twice] == [("a", 90)]
    close = identify.rank([make("a", 88, "plausible", ""), make("b", 85, "plausible", "")])
    assert identify.named(close) is None
    assert identify.named(()) is None
