"""Dates and moments of the Gregorian calendar as integers, for texts of a fixed shape."""

from edge.core.errors import ConfigError

_MS_PER_MINUTE = 60_000


def digits(
    text: str, fields: tuple[tuple[int, int, int], ...], shape: str
) -> tuple[int, ...] | None:
    """The numbers at (start, end, most) of a text of a fixed shape, or None."""
    if len(text) != len(shape):
        return None
    for found, wanted in zip(text, shape):
        if found not in "0123456789" if wanted == "." else found != wanted:
            return None
    numbers = tuple(int(text[start:end]) for start, end, _ in fields)
    if [n for n, field in zip(numbers, fields) if n > field[2]]:
        return None
    return numbers


_MOMENT = ((0, 4, 9999), (5, 7, 12), (8, 10, 31), (11, 13, 23), (14, 16, 59))


def parse_moment(text: str, file: str, key: str) -> int:
    """UTC ms of a moment such as 2026-01-31T08:00Z; ConfigError "config.value" for another."""
    numbers = digits(text, _MOMENT, "....-..-..T..:..Z")
    if numbers is not None:
        year, month, day, hour, minute = numbers
        days = days_from_civil(year, month, day) if month else None
        if days is not None and year >= 1970:
            return ((days * 24 + hour) * 60 + minute) * _MS_PER_MINUTE
    raise ConfigError(
        "config.value",
        file=file,
        key=key,
        found=text,
        expected="a UTC moment like 2026-01-31T08:00Z",
    )


def days_from_civil(year: int, month: int, day: int) -> int | None:
    """Days since 1970-01-01 in the Gregorian calendar; None for a day that does not exist."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= day <= lengths[month - 1]:
        return None
    past = year - 1
    years = past * 365 + past // 4 - past // 100 + past // 400
    return years + sum(lengths[: month - 1]) + day - 719_163
