"""Numbers for devices and streams that mean one thing for the life of a journal.

A poll names its device by number, an interval its streams. The meaning of a number is a TABLE
record; a number is never given another one. A changed device or stream gets the next free number,
an unchanged one keeps its own across restarts, and only what is new is written.
"""

from edge.app.config import Device, Settings
from edge.app.drafts import draft_streams
from edge.core.bus.block import NOTHING_LEARNED, Learned
from edge.core.carbon.counter import Limits
from edge.core.carbon.streams import KINDS, Stream, numbered
from edge.core.journal.record import Part

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.app.gateway_plan import GatewayPlan


class Definitions:
    """The definitions of one epoch, as recorded so far and as extended now."""

    def __init__(self, parts: list[list[object]]) -> None:
        """parts: of all TABLE records of the epoch, in order."""
        self.known = list(parts)
        self.fresh: list[list[object]] = []

    def _number(self, part: int, meaning: list[object]) -> int:
        """The number of a definition; defines it when it is new."""
        highest = -1
        for body in self.known:
            if body[0] == part:
                if body[2:] == meaning:
                    return int(str(body[1]))
                highest = max(highest, int(str(body[1])))
        self._define([part, highest + 1] + meaning)
        return highest + 1

    def _define(self, body: list[object]) -> None:
        self.known.append(body)
        self.fresh.append(body)

    def config(self, digest: bytes, version: str) -> None:
        """Record the configuration in force, when it is not the one recorded last."""
        body: list[object] = [Part.CONFIG, digest, version]
        if self.last(Part.CONFIG) != body:
            self._define(body)

    def factor_set(self, set_id: str, digest: bytes) -> None:
        """Record a factor set once."""
        body: list[object] = [Part.FACTORS, set_id, digest]
        if body not in self.known:
            self._define(body)

    def device(self, device: Device) -> int:
        """The number of a device."""
        points = [[p.name, p.unit, p.places, p.point_class] for p in device.points]
        return self._number(
            Part.DEVICE,
            [
                device.name,
                device.bus,
                device.station,
                device.profile.id,
                device.profile.digest,
                device.poll_ms,
                points,
            ],
        )

    def stream(self, stream: Stream) -> int:
        """The number of a stream; its own number field is not looked at."""
        meaning: list[object] = [
            stream.name,
            stream.kind,
            KINDS[stream.kind].scope,
            stream.unit,
            stream.numerator,
            stream.denominator,
            stream.factor,
            stream.factor_digest,
            stream.method,
            stream.source_digest,
            stream.basis,
            [list(rate) for rate in stream.rates],
            stream.where,
            _limits(stream.limits),
            [list(place) for place in stream.inputs],
            [list(summand) for summand in stream.summands],
        ]
        if stream.rules is not None or stream.coal:
            meaning += [_stack(stream), [list(coal) for coal in stream.coal]]
        return self._number(Part.STREAM, meaning)

    def once(self, part: int, fields: list[object]) -> None:
        """Record a swap or a fact, when it is not recorded yet."""
        body = [part] + fields
        if body not in self.known:
            self._define(body)

    def windows(self, windows: list[list[object]]) -> None:
        """Record the declared windows in force, when they are not those recorded last."""
        recorded = self.last(Part.WINDOWS)
        body: list[object] = [Part.WINDOWS, windows]
        if recorded != body and (recorded is not None or windows):
            self._define(body)

    def last(self, part: int) -> list[object] | None:
        """The part of this kind that was recorded last."""
        recorded = [body for body in self.known if body[0] == part]
        return recorded[-1] if recorded else None

    def serials(self) -> dict[str, int]:
        """Device name -> its meter's serial number as recorded last."""
        return {str(body[1]): int(str(body[2])) for body in self.known if body[0] == Part.SERIAL}

    def facts(self) -> list[list[object]]:
        """FACT parts, in order."""
        return [body for body in self.known if body[0] == Part.FACT]

    def learned(self, number: int) -> tuple[Learned, int | None]:
        """What a device has taught in earlier runs: (Learned, reply timeout in ms or None)."""
        for part in reversed(self.known):
            if part[0] == Part.LEARNED and part[1] == number:
                return decode_learned(part)
        return NOTHING_LEARNED, None

    def predecessors(self, stream: Stream) -> list[int]:
        """Numbers under which the same counter was counted before, the newest first.

        Same name and same source: only factor, method or kind differ, so the count goes on.
        """
        digest = stream.source_digest
        found = [
            int(str(body[1]))
            for body in self.known
            if body[0] == Part.STREAM and body[2] == stream.name and body[11] == digest
        ]
        return list(reversed(found))


def encode_learned(number: int, learned: Learned, timeout_ms: int) -> list[object]:
    """The LEARNED part of a TABLE."""
    holes = [item for hole in learned.holes for item in hole]
    return [Part.LEARNED, number, learned.limit, holes, list(learned.missing), timeout_ms]


def decode_learned(part: list) -> tuple[Learned, int]:
    """What a LEARNED part says."""
    _, _, limit, flat, missing, timeout_ms = part
    holes = tuple((flat[at], flat[at + 1], flat[at + 2]) for at in range(0, len(flat), 3))
    return Learned(holes, tuple(missing), limit), timeout_ms


def _limits(limits: Limits | None) -> list[object] | None:
    if limits is None:
        return None
    return [limits.modulus, limits.most_per_h, 1 if limits.is_rated else 0, limits.step]


def define_streams(
    settings: Settings, numbers: list[int], definitions: Definitions
) -> tuple[Stream, ...]:
    """The streams of a gateway with their numbers; swaps and facts are recorded with them.

    numbers: the device number per device of the settings.
    """
    streams = number_streams(draft_streams(settings), numbers, definitions)
    state_facts(settings, definitions)
    return streams


def number_streams(
    drafts: "Sequence[Stream]", numbers: list[int], definitions: Definitions
) -> tuple[Stream, ...]:
    """Drafts as streams with their numbers; numbers: the device number per device."""
    streams: list[Stream] = []
    for draft in drafts:
        placed = numbered(draft, numbers, [stream.number for stream in streams])
        streams.append(Stream(definitions.stream(placed), *placed[1:]))
    return tuple(streams)


def state_facts(stated: "Settings | GatewayPlan", definitions: Definitions) -> None:
    """Record swaps, facts and windows, where they are not recorded yet."""
    for swap in stated.swaps:
        definitions.once(Part.SWAP, list(swap))
    for fact in stated.facts:
        definitions.once(Part.FACT, list(fact))
    definitions.windows([list(window) for window in stated.windows])


def _stack(stream: Stream) -> list[object] | None:
    """What a stack's mass is made with, so that its records alone say it."""
    if stream.rules is None:
        return None
    stack, status = stream.source.stack, stream.source.status
    family, potential, states, coefficient, fuel = stream.rules
    return [
        stack.method.id,
        list(stack.area_m2),
        stack.ambient_pa,
        stack.basis,
        [] if status is None else list(status[2]),
        family,
        potential,
        [list(state) for state in states],
        list(coefficient),
        None if fuel is None else [list(factor) for factor in fuel],
    ]
