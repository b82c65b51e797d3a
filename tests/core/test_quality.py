from edge.core.numbers.quality import NAMES, Quality, of_error


def test_each_code_has_its_name_and_its_wire_number():
    codes = (
        Quality.GOOD,
        Quality.SENTINEL,
        Quality.RANGE,
        Quality.TIMEOUT,
        Quality.CORRUPT,
        Quality.EXCEPTION,
        Quality.BACKWARDS,
        Quality.PORT,
        Quality.INVALID_STATE,
        Quality.UNCONFIRMED,
    )
    assert codes == tuple(range(10))
    assert len(NAMES) == 10
    for code, name in (
        (Quality.GOOD, "good"),
        (Quality.TIMEOUT, "timeout"),
        (Quality.EXCEPTION, "exception"),
        (Quality.INVALID_STATE, "invalid_state"),
    ):
        assert NAMES[code] == name


def test_a_failed_read_is_never_good():
    for code, quality in (
        ("bus.timeout", Quality.TIMEOUT),
        ("bus.port", Quality.PORT),
        ("bus.crc", Quality.CORRUPT),
        ("bus.short", Quality.CORRUPT),
        ("bus.mismatch", Quality.CORRUPT),
        ("bus.noise", Quality.CORRUPT),
        ("device.illegal_address", Quality.EXCEPTION),
        ("device.busy", Quality.EXCEPTION),
        ("device.failure", Quality.EXCEPTION),
        ("anything.else", Quality.CORRUPT),
    ):
        assert of_error(code) == quality, code
