"""Virtual time: what happens next, and nothing in between.

One timeline is shared by every simulated part. Nothing here or beside it reads a real clock or a
random number of its own, so that the same calls give the same history.
"""

import heapq
from collections.abc import Callable


class Timeline:
    """Milliseconds since the beginning of the world, and what is to happen when."""

    def __init__(self) -> None:
        self.now_ms = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._made = 0

    def at(self, when_ms: int, action: Callable[[], None]) -> None:
        """Have `action` called at `when_ms`; those of one moment in the order they were made."""
        self._made += 1
        heapq.heappush(self._queue, (max(when_ms, self.now_ms), self._made, action))

    def after(self, delay_ms: int, action: Callable[[], None]) -> None:
        """Have `action` called in `delay_ms`."""
        self.at(self.now_ms + delay_ms, action)

    def next_ms(self) -> int | None:
        """When the next action is due."""
        return self._queue[0][0] if self._queue else None

    def advance(self, until_ms: int) -> bool:
        """Go to `until_ms`, or only as far as the next action and take it; True when one was."""
        if self._queue and self._queue[0][0] <= until_ms:
            when_ms, _, action = heapq.heappop(self._queue)
            self.now_ms = max(self.now_ms, when_ms)
            action()
            return True
        self.now_ms = max(self.now_ms, until_ms)
        return False
