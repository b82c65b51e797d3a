"""A broker and the network around it, in virtual time: it forgets, repeats, delays and cuts.

Within one connection messages keep their order, as TCP keeps it; across connections they do not.
The broker acknowledges each message of qos 1 and may lose it all the same. What the network does
with one message is asked of `fate`; cuts, outages and restarts are calls.
"""

from collections.abc import Callable
from typing import NamedTuple

from edge.ports.sim.timeline import Timeline

#: Messages kept for a subscriber that is away; more are dropped, as brokers do.
QUEUE_MAX = 100

LATENCY_MS = 40


class Message(NamedTuple):
    """One publication."""

    topic: str
    payload: bytes


#: What becomes of a message on one leg: bytes that arrive, any number of times.
Fate = Callable[[str, Message], list[Message]]


def faithful(leg: str, message: Message) -> list[Message]:
    """Every message arrives once, as it was sent."""
    return [message]


class Line:
    """One connection of one client to the broker; a new one for each attempt.

    is_dark: everything sent on it vanishes and nobody notices, as on a half-open connection.
    """

    def __init__(self, broker: "Broker", name: str, deliver: Callable[[Message], None]) -> None:
        self.broker = broker
        self.name = name
        self.deliver = deliver
        self.is_open = True
        self.is_dark = False
        self.on_cut: Callable[[], None] | None = None
        self._last_ms = {"up": 0, "down": 0}

    def carry(self, leg: str, action: Callable[[], None]) -> None:
        """Have `action` happen at the other end, unless the connection is gone by then."""
        timeline = self.broker.timeline
        when_ms = max(timeline.now_ms + self.broker.latency_ms, self._last_ms[leg])
        self._last_ms[leg] = when_ms

        def arrive() -> None:
            if self.is_open and not self.is_dark:
                action()

        timeline.at(when_ms, arrive)

    def cut(self) -> None:
        """The connection breaks and both ends learn of it."""
        if self.is_open:
            self.is_open = False
            if self.broker.lines.get(self.name) is self:
                del self.broker.lines[self.name]
            if self.on_cut is not None:
                self.on_cut()


class Broker:
    """An MQTT broker with retained messages and one queue for each subscriber by name."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.fate: Fate = faithful
        self.latency_ms = LATENCY_MS
        self.is_up = True
        self.barred_until_ms: dict[str, int] = {}  # clients that cannot reach it
        self.lines: dict[str, Line] = {}
        self.retained: dict[str, bytes] = {}
        self.queues: dict[str, list[Message]] = {}
        self.wanted: dict[str, str] = {}  # name -> leaf it subscribed to
        self.published = 0
        self.dropped = 0

    def connect(self, name: str, deliver: Callable[[Message], None]) -> Line | None:
        """A connection of that client, None when there is none to be had.

        An older one of the same name is cut, as MQTT says.
        """
        if not self.is_up or self.timeline.now_ms < self.barred_until_ms.get(name, 0):
            return None
        self.disconnect(name)
        self.lines[name] = Line(self, name, deliver)
        return self.lines[name]

    def disconnect(self, name: str) -> None:
        """Cut whatever connection the client has."""
        line = self.lines.get(name)
        if line is not None:
            line.cut()

    def bar(self, name: str, for_ms: int) -> None:
        """The client has no network for a while."""
        until_ms = self.timeline.now_ms + for_ms
        self.barred_until_ms[name] = max(self.barred_until_ms.get(name, 0), until_ms)
        self.disconnect(name)

    def subscribe(self, name: str, leaf: str) -> None:
        """Deliver what is published under a leaf; what is retained comes at once."""
        self.wanted[name] = leaf
        self.queues.setdefault(name, [])
        for topic in sorted(self.retained):
            if topic.endswith("/" + leaf):
                self._hand_on(name, Message(topic, self.retained[topic]))
        queue, self.queues[name] = self.queues[name], []
        for message in queue:
            self._hand_on(name, message)

    def publish(self, leg: str, message: Message, retain: bool) -> None:
        """Take a message in and hand it on."""
        self.published += 1
        for arrived in self.fate(leg, message):
            if retain:
                self.retained[arrived.topic] = arrived.payload
            for name in sorted(self.wanted):
                if arrived.topic.endswith("/" + self.wanted[name]):
                    self._hand_on(name, arrived)

    def _hand_on(self, name: str, message: Message) -> None:
        line = self.lines.get(name)
        if line is not None:
            line.carry("down", lambda: line.deliver(message))
            return
        queue = self.queues.setdefault(name, [])
        if len(queue) < QUEUE_MAX:
            queue.append(message)
        else:
            self.dropped += 1

    def give_back(self, name: str, messages: list[Message]) -> None:
        """What a client had not acknowledged when it went comes again, in the order given."""
        self.queues.setdefault(name, [])[:0] = messages

    def restart(self, down_ms: int, forgets: bool) -> None:
        """All connections break; without persistence queues and retained messages are gone."""
        self.is_up = False
        for name in sorted(self.lines):
            self.disconnect(name)
        if forgets:
            self.retained = {}
            self.queues = {}
            self.wanted = {}

        def come_back() -> None:
            self.is_up = True

        self.timeline.after(down_ms, come_back)
