"""Who talks on the pair unasked: a station that never stops, another master."""

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from hil_tests.emulator.noise import Noise
from hil_tests.emulator.wire import Sending

_CHUNK_BYTES = 64

#: A babbler that no pace holds back leaves the machine some time.
_UNPACED_PAUSE_S = 0.01

#: A babbler that was held up by more than this goes on from now.
_MOST_LAG_S = 0.1


class Babbler:
    """Sends noise without a pause until monotonic `until_s`.

    ended: called when it has fallen silent.
    """

    def __init__(
        self,
        noise: Noise,
        sender: object,
        until_s: float,
        is_paced: bool,
        ended: Callable[[], None],
    ) -> None:
        self._noise = noise
        self._sender = sender
        self._until_s = until_s
        self._pause_s = 0.0 if is_paced else _UNPACED_PAUSE_S
        self._last: Sending | None = None
        self._is_sending = False
        self._ended = ended

    def speak(self, now_s: float) -> list[Sending]:
        """The next chunk, once the one before it is out."""
        if self._is_sending:
            return []
        if now_s >= self._until_s:
            self._ended()
            return []
        start_s = now_s if self._last is None else self._last.end_s + self._pause_s
        start_s = max(start_s, now_s - _MOST_LAG_S)
        self._is_sending = True
        noise = self._noise.data(_CHUNK_BYTES)
        self._last = Sending(noise, start_s, self._note, self._sender)
        return [self._last]

    def _note(self, sending: Sending, wall_ms: int) -> None:
        self._is_sending = False


@dataclass(frozen=True)
class ForeignSpec:
    """Another master's reads: `function`, `address`, `count` of `station`.

    One in every `every_ms`, at a moment of its first half that the seed decides; active as a
    fault is.
    """

    station: int
    function: int
    address: int
    count: int
    every_ms: int
    from_s: Fraction = Fraction(0)
    to_s: Fraction | None = None


class ForeignMaster:
    """Sends its requests without a look at the line.

    asked: called when a request is out whole, with its bytes and its end on the schedule.
    """

    def __init__(
        self, spec: ForeignSpec, frame: bytes, seed: int, asked: Callable[[bytes, float], None]
    ) -> None:
        self._spec = spec
        self._frame = frame
        self._seed = seed
        self._asked = asked
        self._next = 0

    def speak(self, now_s: float, elapsed_s: float) -> list[Sending]:
        """Its request if one is due `elapsed_s` after the start; missed ones are left out."""
        spec = self._spec
        due_s = self._due_s(self._next)
        if elapsed_s < due_s or (spec.to_s is not None and elapsed_s >= spec.to_s):
            return []
        while self._due_s(self._next) <= elapsed_s:
            self._next += 1
        return [Sending(self._frame, now_s, self._note, self)]

    def _due_s(self, number: int) -> float:
        spec = self._spec
        stream = f"foreign {spec.station} {spec.address}"
        within_ms = Noise(self._seed, stream, number).pick(0, spec.every_ms // 2)
        return float(spec.from_s) + (number * spec.every_ms + within_ms) / 1000

    def _note(self, sending: Sending, wall_ms: int) -> None:
        if sending.spoilt_by is None:
            self._asked(self._frame, sending.end_s)
