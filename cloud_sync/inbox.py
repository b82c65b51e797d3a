"""What waits for the worker: messages in fair order, and news before them. For threads."""

import threading
import time
from collections import deque
from typing import Generic, TypeVar

from cloud_sync.fair import Fair

Item = TypeVar("Item")
News = TypeVar("News")


class Inbox(Generic[Item, News]):
    """Filled from any thread, emptied by one. rate: see `Fair`.

    Where many threads fill it, `has_room` may be out of date by one message of each.
    """

    def __init__(self, rate: int) -> None:
        self._fair: Fair[Item] = Fair(rate)
        self._news: deque[News | None] = deque()
        self._changed = threading.Condition()
        #: True while the one who empties it waits.
        self.is_quiet = False

    def __len__(self) -> int:
        """Messages that wait."""
        return len(self._fair)

    def has_room(self, owner: str, size: int) -> bool:
        """False when one more would be beyond the bounds of `Fair`."""
        with self._changed:
            return self._fair.has_room(owner, size)

    def put(self, owner: str, size: int, item: Item) -> bool:
        """Let a message wait; True when it waits for its owner's rate.

        Whoever bounds what it hands out need not ask `has_room`.
        """
        with self._changed:
            is_over = self._fair.put(owner, size, item, now_us())
            self._changed.notify()
        return is_over

    def tell(self, news: News | None) -> None:
        """Put news before all messages; None is the end."""
        with self._changed:
            self._news.append(news)
            self._changed.notify()

    def more(self, count: int) -> list[Item]:
        """The next messages, `count` at most, without waiting; none while there is news."""
        found: list[Item] = []
        with self._changed:
            while not self._news and len(found) < count:
                item = self._fair.pop(now_us())
                if item is None:
                    break
                found.append(item)
        return found

    def get(self) -> Item | News | None:
        """Wait for what is next."""
        with self._changed:
            while True:
                if self._news:
                    return self._news.popleft()
                at_us = now_us()
                item = self._fair.pop(at_us)
                if item is not None:
                    return item
                wait_us = self._fair.wait_us(at_us)
                self.is_quiet = True
                self._changed.wait(None if wait_us is None else wait_us / 1_000_000)
                self.is_quiet = False


def now_us() -> int:
    """Microseconds of a clock that does not go back."""
    return time.monotonic_ns() // 1_000
