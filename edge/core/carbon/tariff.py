"""Electricity factors that change with time: hourly series and weekly time-of-use patterns.

Pure: time is an argument, in ms of UTC. A tariff has up to three layers, asked in this order:
published series, weekly pattern, one annual factor. A value from a later layer than the first one
that the tariff has is a fallback and is flagged as such.
"""

import hashlib

from edge.core.carbon.factors import check_evidence
from edge.core.errors import ConfigError, DataError
from edge.core.numbers import pack
from edge.core.numbers.civil import digits, parse_moment
from edge.core.numbers.fixed import parse_decimal, power_of_ten

MS_PER_MINUTE = 60_000
WEEK_MINUTES = 10_080
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

#: 1970-01-01 was a Thursday: minutes from the Monday before it.
_EPOCH_MINUTES = 3 * 1440

#: unit -> power of ten towards ug/W.h
_UNITS = {"kg/kW.h": 6, "t/MW.h": 6, "g/kW.h": 3}


class Tariff:
    """Electricity factor by time, in ug/W.h.

    id, digest: name what it says, as those of a factor set do.
    series: (from_ms, step_ms, values) ascending without overlap; a value is None where nothing
        was published.
    pattern: (minute of the local week from Monday 00:00, ug/W.h) ascending; each holds until the
        next, the last one into the next week. Empty for none.
    offset_minutes: local time less UTC. annual: what is left when nothing else has a value.
    """

    def __init__(
        self,
        tariff_id: str,
        series: tuple[tuple[int, int, tuple[int | None, ...]], ...],
        pattern: tuple[tuple[int, int], ...],
        offset_minutes: int,
        annual: int,
    ) -> None:
        self.id = tariff_id
        self.series = series
        self.pattern = pattern
        self.offset_minutes = offset_minutes
        self.annual = annual
        says: list[object] = [
            tariff_id,
            [[start, step, list(values)] for start, step, values in series],
            [list(entry) for entry in pattern],
            offset_minutes,
            annual,
        ]
        self.digest = hashlib.sha256(pack.encode(says)).digest()

    def factor_at(self, wall_ms: int) -> tuple[int, int]:
        """(ug/W.h, fallback) at a moment; fallback 0 for the tariff's first layer, else 1 or 2."""
        fallback = 0
        if self.series:
            value = self._published(wall_ms)
            if value is not None:
                return value, fallback
            fallback += 1
        if self.pattern:
            return self.pattern[self._pattern_index(wall_ms)][1], fallback
        return self.annual, fallback

    def changes_between(self, start_ms: int, end_ms: int) -> tuple[int, ...]:
        """The moments after start_ms and before end_ms at which `factor_at` becomes another."""
        found = []
        before = self.factor_at(start_ms)
        at_ms = self._next_edge(start_ms)
        while at_ms is not None and at_ms < end_ms:
            now = self.factor_at(at_ms)
            if now != before:
                found.append(at_ms)
                before = now
            at_ms = self._next_edge(at_ms)
        return tuple(found)

    def spread(
        self, start_ms: int, end_ms: int, quantity: int
    ) -> tuple[tuple[int, int, int], ...]:
        """A quantity metered between two readings as (ug/W.h, fallback, part), in order of time.

        Between two readings the power is taken as constant. The parts are whole and sum to
        `quantity` exactly: each is the difference of two running totals rounded down.
        Raises DataError "data.range" when the second reading is before the first.
        """
        span_ms = end_ms - start_ms
        if span_ms < 0:
            raise DataError("data.range", what="span between readings", value=span_ms)
        edges = self.changes_between(start_ms, end_ms)
        parts = []
        begin_ms, counted = start_ms, 0
        for edge_ms in edges + (end_ms,):
            total = quantity
            if edge_ms != end_ms:
                total = quantity * (edge_ms - start_ms) // span_ms
            parts.append(self.factor_at(begin_ms) + (total - counted,))
            begin_ms, counted = edge_ms, total
        return tuple(parts)

    def _block(self, wall_ms: int) -> int:
        """Index of the last series block that starts at or before a moment, -1 for none."""
        low, high = 0, len(self.series)
        while low < high:
            middle = (low + high) // 2
            if self.series[middle][0] <= wall_ms:
                low = middle + 1
            else:
                high = middle
        return low - 1

    def _published(self, wall_ms: int) -> int | None:
        at = self._block(wall_ms)
        if at < 0:
            return None
        start, step, values = self.series[at]
        index = (wall_ms - start) // step
        return values[index] if index < len(values) else None

    def _local_minute(self, wall_ms: int) -> int:
        """Minutes of local time since the Monday before 1970."""
        return wall_ms // MS_PER_MINUTE + self.offset_minutes + _EPOCH_MINUTES

    def _pattern_index(self, wall_ms: int) -> int:
        minute = self._local_minute(wall_ms) % WEEK_MINUTES
        found = len(self.pattern) - 1
        for index, entry in enumerate(self.pattern):
            if entry[0] <= minute:
                found = index
        return found

    def _next_edge(self, wall_ms: int) -> int | None:
        """The first moment after `wall_ms` at which a layer may change."""
        edges = []
        at = self._block(wall_ms)
        if at >= 0:
            start, step, values = self.series[at]
            index = (wall_ms - start) // step
            if index < len(values):
                edges.append(start + (index + 1) * step)
        if at + 1 < len(self.series):
            edges.append(self.series[at + 1][0])
        if self.pattern:
            local = self._local_minute(wall_ms)
            minute = local % WEEK_MINUTES
            later = [entry[0] for entry in self.pattern if entry[0] > minute]
            ahead = later[0] if later else self.pattern[0][0] + WEEK_MINUTES
            back = local - self.offset_minutes - _EPOCH_MINUTES
            edges.append((back - minute + ahead) * MS_PER_MINUTE)
        return min(edges) if edges else None


def parse_tariff(document: dict[str, object], file: str) -> Tariff:
    """Read a tariff whose shape the schema has checked.

    Raises ConfigError "config.value" for a value finer than 1 ug/W.h, a moment or a time of day
    that does not exist, series out of order or overlapping; "config.duplicate" for a time of the
    week that is given twice, "config.missing_key" for a site's own numbers without evidence.
    """
    check_evidence(document, file)
    unit = str(document["unit"])
    annual = _ug(str(document["annual"]), unit, file, "annual")
    series = _parse_series(_rows(document, "series"), unit, file)
    pattern = _parse_pattern(_rows(document, "weekly"), unit, file)
    offset_minutes = int(str(document.get("utc_offset_min", 0)))
    return Tariff(str(document["id"]), series, pattern, offset_minutes, annual)


def _rows(document: dict[str, object], key: str) -> list[dict[str, object]]:
    items = document.get(key, [])
    return items if isinstance(items, list) else []


def _refuse(file: str, key: str, found: object, expected: str) -> None:
    raise ConfigError("config.value", file=file, key=key, found=found, expected=expected)


def _ug(text: str, unit: str, file: str, key: str) -> int:
    mantissa, places = parse_decimal(text)
    if places > _UNITS[unit]:
        _refuse(file, key, text, "at most %d decimal places" % _UNITS[unit])
    return mantissa * power_of_ten(_UNITS[unit] - places)


def _parse_series(
    items: list[dict[str, object]], unit: str, file: str
) -> tuple[tuple[int, int, tuple[int | None, ...]], ...]:
    found = []
    free_ms: int | None = None
    for index, item in enumerate(items):
        where = "series[%d]" % index
        start_ms = parse_moment(str(item["from"]), file, where + ".from")
        if free_ms is not None and start_ms < free_ms:
            _refuse(file, where + ".from", item["from"], "a moment at the end of the one before")
        step_ms = int(str(item["step_min"])) * MS_PER_MINUTE
        texts = item["values"]
        values = tuple(
            None if text == "" else _ug(str(text), unit, file, where + ".values")
            for text in (texts if isinstance(texts, list) else [])
        )
        found.append((start_ms, step_ms, values))
        free_ms = start_ms + step_ms * len(values)
    return tuple(found)


def _parse_pattern(
    items: list[dict[str, object]], unit: str, file: str
) -> tuple[tuple[int, int], ...]:
    found: list[tuple[int, int]] = []
    for index, item in enumerate(items):
        where = "weekly[%d]" % index
        value = _ug(str(item["value"]), unit, file, where + ".value")
        hour, minute = digits(str(item["from"]), ((0, 2, 23), (3, 5, 59)), "..:..") or (-1, -1)
        if hour < 0:
            _refuse(file, where + ".from", item["from"], "a time of day like 08:30")
        days = item["days"]
        for day in days if isinstance(days, list) else []:
            begin = DAYS.index(str(day)) * 1440 + hour * 60 + minute
            if begin in [entry[0] for entry in found]:
                moment = str(day) + " " + str(item["from"])
                raise ConfigError("config.duplicate", file=file, key=where, found=moment)
            found.append((begin, value))
    return tuple(sorted(found, key=lambda entry: entry[0]))
