"""The gateway's end of a simulated broker, with the promises of `contracts.Uplink`."""

from collections.abc import Callable

from edge.core.errors import SyncError
from edge.ports.contracts import Uplink
from edge.ports.sim.broker import Broker, Line, Message
from edge.ports.sim.timeline import Timeline

#: Unacknowledged messages at once.
WINDOW = 16

KEEPALIVE_MS = 30_000

#: A half-open connection is found out after this long without an answer.
SILENCE_MS = KEEPALIVE_MS * 3 // 2


class SimUplink(Uplink):
    """One client. poke: called when `check_msg` has something to do."""

    def __init__(
        self,
        timeline: Timeline,
        broker: Broker,
        name: str,
        poke: Callable[[], None],
        strike: Callable[[str], None],
    ) -> None:
        self.timeline = timeline
        self.broker = broker
        self.name = name
        self.state = "offline"
        self.on_connect = None
        self.on_published = None
        self._poke = poke
        self._strike = strike
        self._callback: Callable[[bytes, bytes], None] | None = None
        self._line: Line | None = None
        self._news: list[Callable[[], int]] = []
        self._last_id = 0
        self._unacked: dict[int, int] = {}  # packet id -> when it was sent
        self._attempt = 0

    def set_callback(self, callback: Callable[[bytes, bytes], None]) -> None:
        self._callback = callback

    def start(self, clean_session: bool = True) -> None:
        self._strike("uplink.start")
        self.state = "connecting"
        self._news = []
        self._unacked = {}
        self._attempt += 1
        attempt = self._attempt
        self.timeline.after(3 * self.broker.latency_ms, lambda: self._connect(attempt))

    def _connect(self, attempt: int) -> None:
        if attempt != self._attempt or self.state != "connecting":
            return
        line = self.broker.connect(self.name, self._arrived)
        self._line = line
        if line is not None:
            line.on_cut = lambda: self._tell(lambda: self._fail("sync.offline", "cut"))
        self._tell(self._connected if line else lambda: self._fail("sync.offline", "unreachable"))

    def _tell(self, news: Callable[[], int]) -> None:
        self._news.append(news)
        self._poke()

    def _connected(self) -> int:
        self.state = "online"
        if self.on_connect is not None:
            self.on_connect(False)
        return 0

    def _fail(self, code: str, reason: str) -> int:
        self.close()
        raise SyncError(code, server="sim", reason=reason, what=reason)

    def _arrived(self, message: Message) -> None:
        def hand_over() -> int:
            if self._callback is not None:
                self._callback(message.topic.encode(), message.payload)
            return 1

        self._tell(hand_over)

    def check_msg(self) -> int:
        self._strike("uplink.check_msg")
        if self.state == "offline":
            raise SyncError("sync.offline", server="sim", reason="not started")
        count = 0
        while self._news:
            count += self._news.pop(0)()
        if self.wait_ms() == 0:
            self._fail("sync.timeout", "acknowledgement")
        return count

    def wait_ms(self) -> int | None:
        if self.state != "online" or not self._unacked:
            return None  # an attempt to connect ends by itself, and pokes
        waited_ms = self.timeline.now_ms - min(self._unacked.values())
        return max(0, SILENCE_MS - waited_ms)

    def send(
        self,
        topic: str | bytes,
        payload: str | bytes | bytearray,
        retain: bool = False,
        qos: int = 0,
    ) -> int | None:
        self._strike("uplink.send")
        if self.state != "online" or self._line is None:
            raise SyncError("sync.offline", server="sim", reason="not online")
        if len(self._unacked) >= WINDOW:
            return None
        name = topic if isinstance(topic, str) else topic.decode()
        data = payload.encode() if isinstance(payload, str) else bytes(payload)
        message, line = Message(name, data), self._line
        leg = name.rpartition("/")[2]
        self._last_id = self._last_id % 65_535 + 1
        packet = self._last_id if qos else 0
        if qos:
            self._unacked[packet] = self.timeline.now_ms

        def taken() -> None:
            self.broker.publish(leg, message, retain)
            if qos:
                line.carry("down", lambda: self._tell(lambda: self._published(packet)))

        line.carry("up", taken)
        return packet

    def _published(self, packet: int) -> int:
        self._unacked.pop(packet, None)
        if self.on_published is not None:
            self.on_published(packet)
        return 0

    def send_subscribe(self, topic: str | bytes, qos: int = 0) -> int | None:
        name = topic if isinstance(topic, str) else topic.decode()
        if self._line is not None:
            leaf = name.rpartition("/")[2]
            self._line.carry("up", lambda: self.broker.subscribe(self.name, leaf))
        self._last_id = self._last_id % 65_535 + 1
        return self._last_id

    def close(self) -> None:
        self.state = "offline"
        self._news = []
        self._attempt += 1
        line, self._line = self._line, None
        if line is not None:
            line.on_cut = None
            line.cut()
