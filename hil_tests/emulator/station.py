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
from hil_tests.emulator.profile import WIDTHS, Point, Profile
from hil_tests.emulator.registers import (
    Part,
    encode_parts,
    encode_text,
    fit_exponent,
    order_registers,
)
from hil_tests.emulator.units import unit_factor

Signals = Mapping[str, tuple[Fraction, str]]

BIT_FUNCTIONS = (1, 2)
_ALL = BIT_FUNCTIONS + READ_FUNCTIONS

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
        self._told = {*sources, *self._raw}
        self._texts = _plan_texts(profile)
        self._mark = _plan_mark(profile)
        self._maps = self._plan_maps(functions)
        self._islands = self._plan_islands()
        self._cache: tuple[int, dict[tuple[int, int], int]] = (-1, {})

    def _plan_maps(self, functions: tuple[int, ...] | None) -> dict[int, tuple[Point, ...]]:
        points = self.profile.points + self.profile.identity
        own = {function: tuple(p for p in points if p.function == function) for function in _ALL}
        if functions is not None:
            registers = tuple(p for p in points if p.function not in BIT_FUNCTIONS)
            own.update({f: registers if f in functions else () for f in READ_FUNCTIONS})
        return {function: mapped for function, mapped in own.items() if mapped}

    def _plan_islands(self) -> dict[int, list[tuple[int, int]]]:
        """function -> (first, last) ranges that answer: what is measured, and what identifies."""
        islands: dict[int, list[tuple[int, int]]] = {}
        for function, points in self._maps.items():
            ends = [(p.address, p.address + p.width - 1) for p in points]
            measured = [e for e, p in zip(ends, points, strict=True) if p.name not in self._texts]
            islands[function] = [e for e in ends if e not in measured]
            if measured:
                islands[function].append((min(measured)[0], max(last for _, last in measured)))
        marker = self.profile.marker
        if marker is not None:
            place = (marker.address, marker.address + marker.count - 1)
            islands.setdefault(marker.function, []).append(place)
        return islands

    def check(self, request: Request) -> int | None:
        """The exception code that `request` deserves, None for a good one (V1.1b3, 6.1 to 6.4).

        A hole inside the map reads 0, as on most meters; beyond its ends there is nothing.
        """
        if request.function not in self._islands:
            return ILLEGAL_FUNCTION
        assert request.address is not None and request.count is not None
        most = min(MAX_READ_COUNT, self.profile.max_block_registers)
        most *= 16 if request.function in BIT_FUNCTIONS else 1
        if self._is_marker(request):
            return None
        if not 1 <= request.count <= most:
            return ILLEGAL_VALUE
        first, last = request.address, request.address + request.count - 1
        islands = self._islands[request.function]
        if not any(low <= first and last <= high for low, high in islands):
            return ILLEGAL_ADDRESS
        if any(first <= high and last >= low for low, high in self.profile.forbidden):
            return ILLEGAL_ADDRESS
        return None

    def _is_marker(self, request: Request) -> bool:
        """Whether exactly the registers are asked for that tell which device this is.

        Some devices answer that read with their code and the same address inside a longer one
        with a measurement.
        """
        marker = self.profile.marker
        if marker is None:
            return False
        asked = (request.function, request.address, request.count)
        return asked == (marker.function, marker.address, marker.count)

    def read(self, request: Request, second: int, signals: Signals) -> bytes:
        """The data of a good reply to what was asked for, all of it of one `second`."""
        assert request.address is not None and request.count is not None
        if self._cache[0] != second:
            self._cache = (second, self._fill(signals))
        image = self._cache[1]
        span = range(request.address, request.address + request.count)
        words = [image.get((request.function, address), 0) for address in span]
        if request.function in BIT_FUNCTIONS:
            packed = sum(bit << index for index, bit in enumerate(words))
            return packed.to_bytes((request.count + 7) // 8, "little")
        if self._is_marker(request) and self._mark is not None:
            words = list(self._mark)
        return struct.pack(f">{len(words)}H", *words)

    def _fill(self, signals: Signals) -> dict[tuple[int, int], int]:
        image: dict[tuple[int, int], int] = {}
        for function, points in self._maps.items():
            values = {point.name: self._value(point, signals) for point in points}
            exponents = _plan_exponents(points, values)
            # A sum of values that stand for themselves is what they make it, and a power of ten
            # that is shown as a value too is the one that scales.
            for point in sorted(points, key=lambda p: (len(p.parts), p.exponent is not None)):
                is_sum = len(point.parts) > 1 and point.name not in self._told
                if is_sum and all((function, address) in image for address in point.own):
                    continue
                exponent = exponents.get(point.exponent[0], 0) if point.exponent else 0
                for address, mask, word in self._parts(point, values[point.name], exponent):
                    kept = image.get((function, address), 0) & ~mask
                    image[function, address] = kept | word & mask
        return image

    def _parts(self, point: Point, value: Fraction, exponent: int) -> list[Part]:
        if point.name in self._raw:
            words = self._raw[point.name]
            return [(a, 0xFFFF, words[a - point.address]) for a in point.own]
        if point.name in self._texts:
            words = self._texts[point.name]
            return [(point.address + index, 0xFFFF, word) for index, word in enumerate(words)]
        return encode_parts(value, point, self.profile, exponent)

    def _value(self, point: Point, signals: Signals) -> Fraction:
        source = self._sources.get(point.name)
        if source is None:
            return plausible_value(point)
        if not isinstance(source, str):
            return source
        reading, unit = signals[source]
        factor = unit_factor(unit, point.unit)
        assert factor is not None, (source, unit, point.unit)
        return reading * factor


def _plan_exponents(points: tuple[Point, ...], values: Mapping[str, Fraction]) -> dict[int, int]:
    """Address of a scale register -> the power of ten that suits every value it scales."""
    scaled: dict[int, list[tuple[Fraction, Point]]] = {}
    for point in points:
        if point.exponent is not None:
            scaled.setdefault(point.exponent[0], []).append((values[point.name], point))
    return {address: fit_exponent(group) for address, group in scaled.items()}


def _plan_texts(profile: Profile) -> dict[str, tuple[int, ...]]:
    """What the texts of a device say: what it is known by, else its model."""
    texts = {}
    for point in profile.identity:
        if point.type == "str":
            text = profile.model
            marker = profile.marker
            if marker is not None and point.address == marker.address and marker.expect:
                text = str(marker.expect)
            texts[point.name] = encode_text(text, point.count, profile)
    return texts


def _plan_mark(profile: Profile) -> tuple[int, ...] | None:
    """The registers that tell which device it is; None where no one knows what they hold."""
    marker = profile.marker
    if marker is None or marker.expect is None:
        return None
    if isinstance(marker.expect, str):
        return encode_text(marker.expect, marker.count, profile)
    data = marker.expect.to_bytes(2 * WIDTHS[marker.type], "big")
    words = order_registers(data, profile)
    return (*words, *([0] * (marker.count - len(words))))


def plausible_value(point: Point) -> Fraction:
    """What a device shows at a point that nothing in the factory drives."""
    if point.point_class == "counter":
        return Fraction(_PLAUSIBLE_COUNTER)
    if "power_factor" in point.name:
        return Fraction(98, 100)
    return Fraction(_PLAUSIBLE.get(point.unit, 0))
