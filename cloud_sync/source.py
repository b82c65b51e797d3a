"""What hands messages to the receiver when a subscription does not, as `jetstream.Partitions`."""

from collections.abc import Callable
from typing import Protocol

from edge.core.errors import SyncError

#: Takes (topic, payload, done); done is called once the message is committed.
Deliver = Callable[[str, bytes, Callable[[], None]], None]

#: Takes how the source is: an error, or None when it serves.
Tell = Callable[[SyncError | None], None]


class Source(Protocol):
    """Delivers from threads of its own, between `start` and `stop`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...
