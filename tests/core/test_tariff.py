from edge.core.carbon.tariff import Tariff, parse_tariff
from edge.core.errors import TallyError
from edge.core.numbers.civil import days_from_civil, parse_moment

MINUTE = 60000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
#: 2026-01-05T00:00Z, a Monday.
MONDAY = 1767571200000


def document(**changes):
    made = {"id": "test_tariff", "unit": "kg/kW.h", "annual": "0.5"}
    made.update(changes)
    return made


def tariff(**changes):
    return parse_tariff(document(**changes), "test_tariff.toml")


WEEKDAYS = ["mon", "tue", "wed", "thu", "fri"]
EVERY = WEEKDAYS + ["sat", "sun"]
PATTERN = [
    {"days": EVERY, "from": "00:00", "value": "0.4"},
    {"days": WEEKDAYS, "from": "08:00", "value": "0.6"},
    {"days": WEEKDAYS, "from": "22:00", "value": "0.4"},
]
SERIES = [
    {"from": "2026-01-05T00:00Z", "step_min": 60, "values": ["0.61", "0.62", "", "0.62"]},
    {"from": "2026-01-05T05:00Z", "step_min": 15, "values": ["0.7", "0.7", "0.71"]},
]


def refused(**changes):
    try:
        tariff(**changes)
    except TallyError as error:
        return error.code, error.fields["key"]
    return None


def test_one_annual_factor_never_changes():
    found = tariff()
    assert found.factor_at(0) == found.factor_at(MONDAY) == (500000, 0)
    assert found.changes_between(0, MONDAY) == ()
    assert found.spread(MONDAY, MONDAY + HOUR, 7) == ((500000, 0, 7),)


def test_a_pattern_is_in_local_time():
    found = tariff(weekly=PATTERN, utc_offset_min=480)
    for hour, value in ((-8, 400000), (-1, 400000), (0, 600000), (13, 600000), (14, 400000)):
        assert found.factor_at(MONDAY + hour * HOUR) == (value, 0), hour
    assert found.factor_at(MONDAY - 1) == (400000, 0)
    # Saturday has no day rate, Monday has one again.
    assert found.factor_at(MONDAY + 5 * DAY + 4 * HOUR) == (400000, 0)
    assert found.factor_at(MONDAY + 7 * DAY + 4 * HOUR) == (600000, 0)
    changes = found.changes_between(MONDAY - DAY, MONDAY + 7 * DAY)
    assert changes == tuple(MONDAY + day * DAY + at * HOUR for day in range(5) for at in (0, 14))


def test_the_last_value_of_a_week_holds_into_the_next():
    found = tariff(weekly=[{"days": ["wed"], "from": "12:00", "value": "0.9"}])
    assert found.factor_at(MONDAY) == found.factor_at(MONDAY + 3 * DAY) == (900000, 0)
    assert found.changes_between(0, 30 * DAY) == ()


def test_a_pattern_works_before_1970_and_west_of_utc():
    found = tariff(weekly=PATTERN, utc_offset_min=-300)
    thursday = 13 * HOUR  # 1970-01-01T08:00 local
    assert found.factor_at(thursday - 1)[0] == 400000
    assert found.factor_at(thursday)[0] == 600000
    assert found.factor_at(thursday - 7 * DAY)[0] == 600000
    assert found.changes_between(thursday - 7 * DAY - 1, thursday - 7 * DAY + 1) == (
        thursday - 7 * DAY,
    )


def test_a_series_falls_back_where_nothing_was_published_and_says_so():
    found = tariff(series=SERIES)
    for minute, expected in (
        (-1, (500000, 1)),
        (0, (610000, 0)),
        (59, (610000, 0)),
        (60, (620000, 0)),
        (120, (500000, 1)),
        (180, (620000, 0)),
        (240, (500000, 1)),
        (300, (700000, 0)),
        (330, (710000, 0)),
        (345, (500000, 1)),
    ):
        assert found.factor_at(MONDAY + minute * MINUTE) == expected, minute
    minutes = (0, 60, 120, 180, 240, 300, 330, 345)
    changes = tuple(MONDAY + minute * MINUTE for minute in minutes)
    assert found.changes_between(MONDAY - DAY, MONDAY + DAY) == changes
    assert found.changes_between(MONDAY, MONDAY + 345 * MINUTE) == changes[1:-1]


def test_the_pattern_comes_before_the_annual_factor():
    found = tariff(series=SERIES, weekly=PATTERN)
    assert found.factor_at(MONDAY + 150 * MINUTE) == (400000, 1)
    assert found.factor_at(MONDAY + 9 * HOUR) == (600000, 1)
    assert tariff(weekly=PATTERN).factor_at(MONDAY + 9 * HOUR) == (600000, 0)
    # The same value from another layer is another result.
    same = [{"from": "2026-01-05T00:00Z", "step_min": 60, "values": ["0.4"]}]
    both = tariff(series=same, weekly=PATTERN)
    assert both.changes_between(MONDAY - 1, MONDAY + 2 * HOUR) == (MONDAY, MONDAY + HOUR)


def test_energy_across_a_change_is_split_and_none_is_lost():
    found = tariff(series=SERIES)
    start, end = MONDAY + 50 * MINUTE, MONDAY + 80 * MINUTE
    assert found.spread(start, end, 1000) == ((610000, 0, 333), (620000, 0, 667))
    assert found.spread(start, end, -1000) == ((610000, 0, -334), (620000, 0, -666))
    assert found.spread(end, end, 5) == ((620000, 0, 5),)
    parts = found.spread(MONDAY - HOUR, MONDAY + 7 * HOUR, 10**15 + 1)
    assert sum(part for _, _, part in parts) == 10**15 + 1 and len(parts) == 9
    try:
        found.spread(end, start, 1)
    except TallyError as error:
        assert error.code == "data.range"
    else:
        raise AssertionError("a span that ends before it begins")


def test_a_year_of_hours_is_found_and_walked():
    values = [f"0.{5000 + hour % 24}" for hour in range(8760)]
    found = tariff(series=[{"from": "2026-01-01T00:00Z", "step_min": 60, "values": values}])
    start = MONDAY - 4 * DAY
    for hour in (0, 1, 23, 24, 4000, 8759):
        assert found.factor_at(start + hour * HOUR) == (500000 + hour % 24 * 100, 0)
    assert found.factor_at(start + 8760 * HOUR) == (500000, 1)
    assert len(found.changes_between(start - DAY, start + 366 * DAY)) == 8761


def test_the_digest_is_over_what_the_tariff_says():
    base = tariff(weekly=PATTERN, utc_offset_min=480).digest
    assert base == tariff(weekly=PATTERN, utc_offset_min=480, note="other words").digest
    assert base == tariff(weekly=list(reversed(PATTERN)), utc_offset_min=480).digest
    grams = document(weekly=[dict(row) for row in PATTERN], unit="g/kW.h", annual="500")
    for row in grams["weekly"]:
        row["value"] = {"0.4": "400", "0.6": "600"}[row["value"]]
    assert base == parse_tariff(dict(grams, utc_offset_min=480), "").digest
    for changes in (
        {"weekly": PATTERN},
        {"weekly": PATTERN[:2], "utc_offset_min": 480},
        {"weekly": PATTERN, "utc_offset_min": 480, "annual": "0.51"},
        {"weekly": PATTERN, "utc_offset_min": 480, "id": "test_tariff_r2"},
        {"weekly": PATTERN, "utc_offset_min": 480, "series": SERIES},
    ):
        assert tariff(**changes).digest != base
    assert len(Tariff("x", (), (), 0, 1).digest) == 32


def test_faults_name_their_key():
    late = [dict(SERIES[1]), dict(SERIES[0])]
    over = [dict(SERIES[0]), dict(SERIES[1], **{"from": "2026-01-05T03:59Z"})]
    assert refused(series=late) == ("config.value", "series[1].from")
    assert refused(series=over) == ("config.value", "series[1].from")
    close = [dict(SERIES[0]), dict(SERIES[1], **{"from": "2026-01-05T04:00Z"})]
    assert refused(series=close) is None
    assert refused(annual="0.5000001") == ("config.value", "annual")
    assert refused(weekly=[dict(PATTERN[0], value="0.1234567")])[1] == "weekly[0].value"
    assert refused(weekly=PATTERN + [PATTERN[1]]) == ("config.duplicate", "weekly[3]")
    for text in ("24:00", "08:60", "8:00", "08-00", "ab:00", "08:0", ""):
        row = dict(PATTERN[0], **{"from": text})
        assert refused(weekly=[row]) == ("config.value", "weekly[0].from"), text
    assert refused(confidence="S") == ("config.missing_key", "evidence")
    assert refused(confidence="S", evidence="TOU-2026-1") is None


NO_MOMENTS = (
    "2026-02-29T00:00Z",
    "2100-02-29T00:00Z",
    "2026-13-01T00:00Z",
    "2026-00-01T00:00Z",
    "2026-01-00T00:00Z",
    "2026-01-01T24:00Z",
    "2026-01-01T00:60Z",
    "1969-12-31T23:59Z",
    "2026-01-01",
    "2026-01-01T00:00+08:00",
    "2026-01-01T00:00:00Z",
    "2O26-01-01T00:00Z",
    "",
)


def test_moments_are_those_of_the_calendar():
    for text, expected in (
        ("1970-01-01T00:00Z", 0),
        ("2000-02-29T12:30Z", 951827400000),
        ("2026-01-05T00:00Z", MONDAY),
        ("2100-03-01T00:00Z", 4107542400000),
    ):
        assert parse_moment(text, "f", "k") == expected, text
    for text in NO_MOMENTS:
        try:
            parse_moment(text, "f", "k")
        except TallyError as error:
            assert (error.code, error.fields["found"]) == ("config.value", text)
        else:
            raise AssertionError(text)
    assert days_from_civil(2024, 2, 29) - days_from_civil(2024, 1, 31) == 29
    assert days_from_civil(1900, 2, 29) is None
