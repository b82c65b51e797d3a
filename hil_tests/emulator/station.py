"""One station: a profile's registers, filled from signals of the factory or constants."""

import struct
from collections.abc import Mapping
from fractions import Fraction

from hil_tests.emulator.frame import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    MAX_READ_COUNT,
    READ_FUNCTIONS,
    Request,
)
from hil_tests.emulator.profile import Point, Profile
from hil_tests.emulator.registers import encode_value
from hil_tests.emulator.units import unit_factor

Signals = Mapping[str, tuple[Fraction, str]]

#: What a point without a signal shows, by unit; 0 for a unit that is not here.
_PLAUSIBLE = {
    "V": 230,
    "A": 10,
    "Hz": 50,
    "W": 6900,
    "kW": 7,
    "V.A": 7000,
    "kV.A": 7,
    "V.A{reactive}": 1180,
    "%": 2,
    "Cel": 25,
    "bar": 4,
    "Pa": 100,
    "kOhm": 500,
    "m3/h": 12,
    "L/h": 1200,
    "deg": 18,
}
_PLAUSIBLE_COUNTER = 1234


class Station:
    """The station `number` with the registers of `profile`.

    sources: point name -> name of a signal, or a constant in the point's unit.
    raw: point name -> registers served as they are, whatever they mean.
    functions: read functions that see the map; None: those the points themselves declare.
    """

    def __init__(
        self,
        number: int,
        profile: Profile,
        sources: Mapping[str, str | Fraction],
        raw: Mapping[str, tuple[int, ...]] | None = None,
        functions: tuple[int, ...] | None = None,
    ) -> None:
        self.number = number
        self.profile = profile
        self._sources = sources
        self._raw = raw or {}
        self._maps = self._plan_maps(functions)
        self._cache: tuple[int, dict[tuple[int, int], int]] = (-1, {})

    def _plan_maps(self, functions: tuple[int, ...] | None) -> dict[int, tuple[Point, ...]]:
        points = self.profile.points
        if functions is not None:
            return dict.fromkeys(functions, points)
        own = {function: tuple(p for p in points if p.function == function) for function in (3, 4)}
        return {function: mapped for function, mapped in own.items() if mapped}

    def check(self, request: Request) -> int | None:
        """The exception code that `request` deserves, None for a good one (V1.1b3, 6.3, 6.4).

        A hole inside the map reads 0, as on most meters; beyond its ends there is nothing.
        """
        if request.function not in READ_FUNCTIONS or request.function not in self._maps:
            return ILLEGAL_FUNCTION
        assert request.address is not None and request.count is not None
        most = min(MAX_READ_COUNT, self.profile.max_block_registers)
        if not 1 <= request.count <= most:
            return ILLEGAL_VALUE
        points = self._maps[request.function]
        first, last = request.address, request.address + request.count - 1
        if first < min(point.address for point in points):
            return ILLEGAL_ADDRESS
        if last >= max(point.address + point.width for point in points):
            return ILLEGAL_ADDRESS
        if any(first <= high and last >= low for low, high in self.profile.forbidden):
            return ILLEGAL_ADDRESS
        return None

    def read(self, request: Request, second: int, signals: Signals) -> bytes:
        """The bytes of the registers asked for, all of them of one `second`."""
        assert request.address is not None and request.count is not None
        if self._cache[0] != second:
            self._cache = (second, self._fill(signals))
        image = self._cache[1]
        span = range(request.address, request.address + request.count)
        words = [image.get((request.function, address), 0) for address in span]
        return struct.pack(f">{len(words)}H", *words)

    def _fill(self, signals: Signals) -> dict[tuple[int, int], int]:
        image = {}
        for function, points in self._maps.items():
            for point in points:
                for index, word in enumerate(self._encode(point, signals)):
                    image[function, point.address + index] = word
        return image

    def _encode(self, point: Point, signals: Signals) -> tuple[int, ...]:
        if point.name in self._raw:
            return self._raw[point.name]
        source = self._sources.get(point.name)
        if source is None:
            value = plausible_value(point)
        elif isinstance(source, str):
            reading, unit = signals[source]
            factor = unit_factor(unit, point.unit)
            assert factor is not None, (source, unit, point.unit)
            value = reading * factor
        else:
            value = source
        return encode_value(value, point, self.profile)


def plausible_value(point: Point) -> Fraction:
    """What a device shows at a point that nothing in the factory drives."""
    if point.point_class == "counter":
        return Fraction(_PLAUSIBLE_COUNTER)
    if "power_factor" in point.name:
        return Fraction(98, 100)
    return Fraction(_PLAUSIBLE.get(point.unit, 0))
