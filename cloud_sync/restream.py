"""Streams out of a journal's own definitions, so that its records can be accounted again.

Which device a register belongs to is found by the digest that the stream has of its source: other
wiring is another source.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from cloud_sync.sound import sound_parts
from edge.core.carbon.counter import Limits
from edge.core.carbon.geometry import Geometry, find_source, told
from edge.core.carbon.streams import (
    TARIFF,
    Coal,
    Rate,
    Source,
    Stream,
    Summand,
    source_digest,
)
from edge.core.carbon.tariff import Tariff
from edge.core.journal.record import Part
from edge.core.numbers.fixed import power_of_ten
from edge.core.numbers.units import CANONICAL, ratio_to, reduce_ratio

#: Fields of a stream's part in the first form, and of those that are understood here: the second
#: is that of a stack or with coal.
_FIRST_FORM = 12
_FULL_FORMS = (18, 20)

_DIMENSIONS = {unit: dimension for dimension, unit in CANONICAL.items()}


class Definitions:
    """What the numbers of a journal mean, as far as it has been read."""

    def __init__(self, stacks: Sequence[Geometry] = (), tariffs: Sequence[Tariff] = ()) -> None:
        """stacks: geometries that the journal's stacks may have; tariffs: those at hand."""
        self._stacks = list(stacks)
        self._tariffs = {tariff.digest for tariff in tariffs}
        self.streams: dict[int, list[Any]] = {}
        #: FACT parts in order; the declared windows in force.
        self.facts: list[list[Any]] = []
        self.windows: list[list[Any]] = []
        self.devices: dict[int, list[Any]] = {}

    def take(self, parts: Iterable[Any]) -> None:
        """Take the parts of a TABLE in; the meaning that came first stays."""
        for part in sound_parts(parts):
            if part[0] == Part.STREAM:
                self.streams.setdefault(part[1], part)
            elif part[0] == Part.DEVICE:
                self.devices.setdefault(part[1], part)
            elif part[0] == Part.FACT:
                self.facts.append(part)
            elif part[0] == Part.WINDOWS:
                self.windows = part[1]

    def ancestors(self, number: int) -> list[int]:
        """Numbers that counted the same source under the same name, the newest first."""
        name, digest = self.streams[number][2], self.streams[number][11]
        same = [n for n, part in self.streams.items() if (part[2], part[11]) == (name, digest)]
        return sorted(same, reverse=True)

    def devices_of(self, owner: str, point: str) -> list[tuple[int, int]]:
        """(device number, point index) of every device that reads an owner's point."""
        found = []
        for number, part in self.devices.items():
            names = [item[0] for item in part[8]]
            if point in names and (part[2] == owner or part[2].startswith(owner + "-")):
                found.append((number, names.index(point)))
        return found

    def build(self, number: int, polled: dict[int, int]) -> Stream:
        """The stream of a number; its source is None when the records do not say enough.

        polled: device number -> when it was polled last, to tell apart devices that read the same.
        Raises KeyError for a number that nothing defines.
        """
        part = self.streams[number]
        basis, where = "", ""
        rates: tuple[Rate, ...] = ()
        if len(part) > _FIRST_FORM:
            basis, where = part[12], part[14]
            rates = tuple(Rate(*rate) for rate in part[13])
        fields: list[Any] = [number, part[2], part[3], part[5], (1, 1), *part[6:11], 1, None]
        coal = tuple(Coal(*one) for one in part[19]) if len(part) == max(_FULL_FORMS) else ()
        fields += [part[11], basis, rates, where, None, (), (), None, coal]
        blank = Stream(*fields)
        if len(part) not in _FULL_FORMS:
            return blank  # what a longer form adds may change what its figures are
        if self._lacks_tariff(blank):
            return blank
        if part[3] == "stack_co2":
            return self._stack(blank, part, polled)
        if part[5] not in _DIMENSIONS:
            return blank
        if part[17]:
            return self._virtual(blank, part, polled)
        return self._counter(blank, part, polled) if part[15] is not None else blank

    def _lacks_tariff(self, stream: Stream) -> bool:
        rates = [(stream.factor, stream.factor_digest)]
        rates += [(rate.factor, rate.factor_digest) for rate in stream.rates]
        return any(
            factor.startswith(TARIFF) and digest not in self._tariffs for factor, digest in rates
        )

    def _counter(self, blank: Stream, part: list[Any], polled: dict[int, int]) -> Stream:
        owner, point = part[16][0]
        fitting = []
        for number, at in self.devices_of(owner, point):
            device = self.devices[number]
            if source_digest([[device[2], device[6], point]], [], None) == part[11]:
                fitting.append((polled.get(number, -1), number, at))
        if not fitting:
            return blank
        _, number, at = max(fitting)
        device = self.devices[number]
        _, unit, places, _ = device[8][at]
        up, down = ratio_to(unit, _DIMENSIONS[part[5]])
        modulus, most_per_h, is_rated, step = part[15]
        return blank._replace(
            activity=(up, down * power_of_ten(places)),
            poll_ms=device[7],
            source=Source(((number, at, places),), None, None),
            limits=Limits(modulus, most_per_h, is_rated == 1, step),
        )

    def _stack(self, blank: Stream, part: list[Any], polled: dict[int, int]) -> Stream:
        places = []
        for owner, point in part[16]:
            fitting = [
                (number, at, self.devices[number]) for number, at in self.devices_of(owner, point)
            ]
            fitting.sort(key=lambda place: polled.get(place[0], -1), reverse=True)
            places.append(fitting)
        own = told(part)
        found = find_source(part, places, self._stacks if own is None else [own])
        if found is None:
            return blank
        source, rules = found
        poll_ms = self.devices[source.inputs[0][0]][7]
        return blank._replace(poll_ms=poll_ms, source=source, rules=rules)

    def _virtual(self, blank: Stream, part: list[Any], polled: dict[int, int]) -> Stream:
        summands = tuple(Summand(*item) for item in part[17])
        parts = [self.build(item.stream, polled) for item in summands]
        if any(item.source is None for item in parts):
            return blank
        return blank._replace(
            activity=(1, _denominator(part, summands, parts)),
            poll_ms=parts[0].poll_ms,
            source=Source((), None, None),
            summands=summands,
        )


def _denominator(part: list[Any], summands: tuple[Summand, ...], parts: list[Stream]) -> int:
    """What a weighted sum of counts is divided by to be an activity.

    Without a factor, or with one of whole micrograms, the definition says it; else the summands
    are taken whole.
    """
    said = part[7] // 1000
    whole = 1
    for item in parts:
        down = reduce_ratio(*item.activity)[1]
        whole *= reduce_ratio(down, whole)[0]
    for summand, item in zip(summands, parts, strict=True):
        up, down = item.activity
        if abs(summand.weight) * down > said * up:  # a share above the whole
            return whole
    return int(said)
