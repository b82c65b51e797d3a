"""Numbers for devices and streams that mean one thing for the life of a journal.

A poll names its device by number, an interval its streams. The meaning of a number is a TABLE
record; a number is never given another one. A changed device or stream gets the next free number,
an unchanged one keeps its own across restarts, and only what is new is written.
"""

import hashlib

from edge.app.config import Device, Settings
from edge.app.drafts import draft_streams
from edge.app.learned import decode_learned
from edge.core.bus.block import NOTHING_LEARNED, Learned
from edge.core.carbon.counter import Limits
from edge.core.carbon.streams import Stream, numbered
from edge.core.journal.record import Part
from edge.core.numbers import pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from edge.app.gateway_plan import GatewayPlan


class Definitions:
    """The definitions of one epoch, as recorded so far and as extended now.

    Of what is recorded a digest is kept: a board has no room for what it says.
    """

    def __init__(self, parts: "Iterable[list[object]]") -> None:
        """parts: of all TABLE records of the epoch, in order; each is looked at and dropped."""
        #: Digest of what a part says -> its number, the first where several say the same; 0 for
        #: one that has none.
        self._numbers: dict[bytes, int] = {}
        self._next = {Part.DEVICE: 0, Part.STREAM: 0}
        #: Part of which the newest holds -> its digest.
        self._newest: dict[int, bytes] = {}
        self._learned: dict[int, list] = {}
        #: (digest of name and source, number) of each stream.
        self._sources: list[tuple[bytes, int]] = []
        self._fresh: list[tuple[int, int, object]] = []
        for body in parts:
            self._note(body)

    def _note(self, body: list) -> None:
        """Take in that a part is recorded."""
        part = body[0]
        if part in self._next:
            number = body[1]
            self._numbers.setdefault(_digest([part] + body[2:]), number)
            self._next[part] = max(self._next[part], number + 1)
            if part == Part.STREAM:
                self._sources.append((_digest([body[2], body[11]]), number))
        elif part in (Part.CONFIG, Part.WINDOWS):
            self._newest[part] = _digest(body)
        elif part == Part.LEARNED:
            self._learned[body[1]] = body
        elif part != Part.SERIAL:
            self._numbers[_digest(body)] = 0

    def _number(self, part: int, meaning: list[object], thing: object) -> int:
        """The number of a definition; defines it when it is new."""
        number = self._numbers.get(_digest([part] + meaning))
        if number is None:
            number = self._next[part]
            self._note([part, number] + meaning)
            self._fresh.append((part, number, thing))
        return number

    def _define(self, body: list) -> None:
        self._note(body)
        self._fresh.append((body[0], -1, body))

    def config(self, digest: bytes, version: str) -> None:
        """Record the configuration in force, when it is not the one recorded last."""
        self._latest([Part.CONFIG, digest, version])

    def factor_set(self, set_id: str, digest: bytes) -> None:
        """Record a factor set once."""
        self.once(Part.FACTORS, [set_id, digest])

    def device(self, device: Device) -> int:
        """The number of a device."""
        return self._number(Part.DEVICE, _of_device(device), device)

    def stream(self, stream: Stream) -> int:
        """The number of a stream; its own number field is not looked at."""
        return self._number(Part.STREAM, _of_stream(stream), stream)

    def once(self, part: int, fields: list[object]) -> None:
        """Record a factor set, a swap or a fact, when it is not recorded yet."""
        body = [part] + fields
        if _digest(body) not in self._numbers:
            self._define(body)

    def windows(self, windows: list[list[object]]) -> None:
        """Record the declared windows in force, when they are not those recorded last."""
        if windows or Part.WINDOWS in self._newest:
            self._latest([Part.WINDOWS, windows])

    def _latest(self, body: list[object]) -> None:
        if self._newest.get(int(str(body[0]))) != _digest(body):
            self._define(body)

    @property
    def is_extended(self) -> bool:
        """True while there is something to be recorded."""
        return bool(self._fresh)

    def fresh(self) -> "Iterator[list[object]]":
        """The parts to be recorded, in order; each is made as it is asked for, and forgotten."""
        while self._fresh:
            part, number, thing = self._fresh.pop(0)
            head: list[object] = [part, number]
            if isinstance(thing, Device):
                yield head + _of_device(thing)
            elif isinstance(thing, Stream):
                yield head + _of_stream(thing)
            elif isinstance(thing, list):
                yield thing

    def learned(self, number: int) -> tuple[Learned, int | None]:
        """What a device has taught in earlier runs: (Learned, reply timeout in ms or None)."""
        part = self._learned.get(number)
        return (NOTHING_LEARNED, None) if part is None else decode_learned(part)

    def predecessors(self, stream: Stream) -> list[int]:
        """Numbers under which the same counter was counted before, the newest first.

        Same name and same source: only factor, method or kind differ, so the count goes on.
        """
        wanted = _digest([stream.name, stream.source_digest])
        found = [number for source, number in self._sources if source == wanted]
        return list(reversed(found))


def _digest(body: list) -> bytes:
    """What tells one part from another: 15 bytes are one block of a board's heap."""
    return hashlib.sha256(pack.encode(body)).digest()[:15]


def _of_device(device: Device) -> list[object]:
    """What a DEVICE part says after its number."""
    points = [[p.name, p.unit, p.places, p.point_class] for p in device.points]
    return [
        device.name,
        device.bus,
        device.station,
        device.profile.id,
        device.profile.digest,
        device.poll_ms,
        points,
    ]


def _of_stream(stream: Stream) -> list[object]:
    """What a STREAM part says after its number."""
    from edge.core.carbon.kinds import scope_of

    meaning: list[object] = [
        stream.name,
        stream.kind,
        scope_of(stream.kind),
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
    return meaning


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
