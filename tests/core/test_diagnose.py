"""From bytes to outcomes, from outcomes to causes."""

from edge.core.bus.rtu import crc16, encode_read
from edge.core.field import diagnose
from edge.core.field.diagnose import Evidence, classify, find_causes

REQUEST = encode_read(7, 4, 100, 3)


def seal(body):
    crc = crc16(body)
    return body + bytes((crc & 0xFF, crc >> 8))


GOOD = seal(bytes((7, 4, 6, 1, 2, 3, 4, 5, 6)))
REFUSAL = seal(bytes((7, 0x84, 2)))
OTHER = seal(bytes((9, 4, 6, 1, 2, 3, 4, 5, 6)))


def flip(data, at):
    return data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :]


OUTCOMES = (
    (b"", "silent"),
    (GOOD, "good"),
    (REFUSAL, "exception"),
    (GOOD[1:], "first_lost"),
    (GOOD[2:], "first_lost"),
    (REFUSAL[1:], "first_lost"),
    (GOOD[:-1], "last_lost"),
    (REFUSAL[:-1], "last_lost"),
    (b"\x00" + GOOD, "leading"),
    (b"\xff\x00\x55" + REFUSAL, "leading"),
    (flip(GOOD, 5), "crc"),
    (flip(GOOD, 10), "crc"),
    (GOOD[:-4], "short"),
    (GOOD[:3], "short"),
    (GOOD + b"\xff\x00", "leading"),
    (GOOD + GOOD, "double"),
    (GOOD + OTHER, "double"),
    (REFUSAL + GOOD[:4], "double"),
    (OTHER, "foreign"),
    (encode_read(9, 4, 0, 1), "foreign"),
    (GOOD + encode_read(9, 4, 0, 1), "foreign"),
    (b"\x93\x11\xfe\x00\x3c", "garbage"),
    (b"\x00", "garbage"),
)


def test_each_kind_of_exchange_is_told():
    for data, outcome in OUTCOMES:
        found = classify(REQUEST, data)
        assert (found.outcome, found.is_echo) == (outcome, False), (data.hex(), found)


def test_an_echo_in_front_changes_nothing_else():
    for data, outcome in OUTCOMES:
        found = classify(REQUEST, REQUEST + data)
        assert (found.outcome, found.is_echo) == (outcome, True), (data.hex(), found)


def causes(**counts):
    evidence = Evidence()
    for name in counts:
        evidence.add(name, counts[name])
    return find_causes(evidence)


CASES = (
    ({"asked": 10, "stations": 2, "good": 10}, ()),
    ({"port_missing": 1}, ("port_missing",)),
    ({"port_denied": 1}, ("port_denied",)),
    ({"port_busy": 1}, ("port_busy",)),
    ({"port_failed": 1}, ("port_failed",)),
    ({"stations": 2, "silent_stations": 2, "asked": 4, "silent": 4}, ("all_silent",)),
    ({"stations": 2, "silent_stations": 1, "asked": 4, "silent": 2}, ("one_silent",)),
    ({"stations": 2, "asked": 40, "good": 39, "silent": 1}, ("unsteady",)),
    ({"stations": 2, "asked": 10, "good": 10, "echo": 10}, ("echo",)),
    ({"stations": 1, "silent_stations": 1, "silent": 4, "asked": 4, "late": 4}, ("late",)),
    ({"stations": 1, "asked": 10, "good": 4, "first_lost": 6}, ("first_lost",)),
    ({"stations": 1, "asked": 10, "good": 4, "last_lost": 6}, ("last_lost",)),
    ({"stations": 1, "asked": 10, "good": 8, "leading": 2}, ("leading",)),
    ({"stations": 2, "asked": 10, "good": 9, "double": 1, "crc": 1}, ("double",)),
    ({"stations": 2, "bad_stations": 2, "asked": 9, "foreign": 1}, ("strangers",)),
    ({"idle_ms": 1000, "idle_bytes": 900, "idle_frames": 0}, ("babble",)),
    ({"idle_ms": 1000, "idle_bytes": 60, "idle_frames": 6}, ("foreign_master",)),
    ({"idle_frames": 1, "idle_bytes": 9, "foreign": 3, "asked": 9}, ("foreign_master",)),
    ({"latency_ms": 16, "asked": 9, "good": 9, "stations": 1}, ("usb_latency",)),
    ({"latency_ms": 1, "asked": 9, "good": 9, "stations": 1}, ()),
    ({"mini_uart": 1, "asked": 9, "good": 9, "stations": 1}, ("mini_uart",)),
)


def test_each_count_points_to_its_cause():
    for counts, expected in CASES:
        assert causes(**counts) == expected, (counts, causes(**counts))


def test_damage_by_where_and_how_long():
    damage = {
        "asked": 40,
        "stations": 2,
        "short_asked": 20,
        "long_asked": 20,
        "crc": 8,
        "good": 32,
    }
    grows = dict(damage)
    grows.update({"short_bad": 1, "long_bad": 7, "bad_stations": 2})
    assert causes(**grows) == ("noise_grows",)
    even = dict(damage)
    even.update({"short_bad": 4, "long_bad": 4, "bad_stations": 2})
    assert causes(**even) == ("damaged",)
    one = dict(even)
    one["bad_stations"] = 1
    assert causes(**one) == ("one_damaged",)
    wrong = {"asked": 10, "stations": 2, "bad_stations": 2, "garbage": 9, "silent": 1}
    assert causes(**wrong) == ("wrong_settings",)


def test_several_causes_stand_beside_each_other():
    found = causes(stations=3, silent_stations=1, asked=30, good=20, silent=10, latency_ms=16)
    assert found == ("one_silent", "usb_latency")
    assert causes(echo=9, asked=9, good=9, stations=1, mini_uart=1) == ("echo", "mini_uart")


def test_evidence_counts_exchanges_by_size():
    evidence = Evidence()
    evidence.take(classify(REQUEST, GOOD), "long")
    evidence.take(classify(REQUEST, REFUSAL), "short")
    evidence.take(classify(REQUEST, flip(GOOD, 5)), "long")
    counts = evidence.counts
    assert (counts["asked"], counts["good"], counts["crc"]) == (3, 2, 1)
    assert (counts["long_asked"], counts["long_bad"], counts["short_bad"]) == (2, 1, 0)


def test_every_count_of_the_rules_exists():
    for _, _, conditions in diagnose.RULES:
        for condition in conditions:
            names = [condition[1]] + [part for part in condition[2:] if isinstance(part, str)]
            for name in names:
                assert name in diagnose.FIELDS, name
    for outcome in diagnose.OUTCOMES:
        assert outcome in diagnose.FIELDS or outcome == "exception"


def test_examination_reads_are_reads():
    reads = diagnose.examination_reads(7, 4, 20)
    assert [size for size, _ in reads] == ["short", "long"]
    assert reads[1][1] == encode_read(7, 4, 0, 20)
    assert len(diagnose.examination_reads(7, 4, 1)) == 1
