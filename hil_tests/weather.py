"""What becomes of connections through `hil_tests.proxy`, drawn from a seed."""

import random
from dataclasses import dataclass

UP, DOWN = "up", "down"

#: Acts after which the connection is gone, for the gateway at least in the end.
CUTS = ("close", "reset", "silence")


@dataclass(frozen=True)
class Fate:
    """What becomes of one connection.

    act: "pass"; "close", "reset" or "silence" (open, but everything is swallowed); "stall";
    "slice" into single bytes; "twice" or "swap" for PUBLISH packets.
    direction: whose bytes count, UP from the gateway or DOWN to it. after: so many bytes of it
    pass untouched. within_s: a cut comes so long after the connection began at the latest,
    wherever the bytes are then, and anything else ends in a close; None for never.
    seconds: how long a stall lasts.
    """

    act: str = "pass"
    direction: str = UP
    after: int = 0
    within_s: float | None = None
    seconds: float = 0.0


class Weather:
    """Draws fates from a seed; calm: nothing happens to connections from now on.

    weights: act -> how often. offsets: bytes that may pass before, up and down; within_s,
    seconds: see Fate, the latter the longest. One connection in six meets its fate in the
    handshake, within its first HANDSHAKE_BYTES.
    """

    HANDSHAKE_BYTES = 200

    def __init__(
        self,
        seed: int,
        weights: dict[str, int],
        offsets: dict[str, int],
        within_s: float,
        seconds: float = 0.0,
    ) -> None:
        self.calm = False
        self._chance = random.Random(seed)
        self._weights = weights
        self._offsets = offsets
        self._within_s = within_s
        self._seconds = seconds

    def __call__(self, number: int) -> Fate:
        """The fate of the next connection."""
        if self.calm:
            return Fate()
        chance = self._chance
        act = chance.choices(list(self._weights), list(self._weights.values()))[0]
        direction = chance.choice((UP, DOWN))
        most = self.HANDSHAKE_BYTES if chance.random() < 1 / 6 else self._offsets[direction]
        after = chance.randint(1, most)
        return Fate(act, direction, after, self._within_s, self._seconds * chance.random())
