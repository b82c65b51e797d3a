"""What a running gateway shows to the machine it runs on: a status port, and signs of life."""

import json

from edge.app.gateway import Gateway
from edge.app.metrics import MEDIA, encode_metrics
from edge.app.progress import Progress
from edge.app.report import Reporter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.ports.linux.notify import Notifier
    from edge.ports.linux.status_socket import StatusSocket

#: A report is made once in this time, however often it is asked for.
FRESH_MS = 1_000

#: `systemctl status` gets a new line this often.
SAY_MS = 10_000

#: The watchdog is fed so often in its time, and work may be due for three quarters of it.
FEEDS = 4


class Supervision:
    """Watches one gateway; `step` after each of its steps.

    socket: the status port, None for none. read_space: see `Reporter`.
    """

    def __init__(
        self,
        gateway: Gateway,
        socket: "StatusSocket | None",
        read_space: "Callable[[], dict[str, object]]",
        notifier: "Notifier",
        now_ms: int,
    ) -> None:
        self._gateway = gateway
        self._reporter = Reporter(gateway, read_space)
        self._notifier = notifier
        self._feed_ms = notifier.watchdog_ms // FEEDS
        limit_ms = notifier.watchdog_ms * (FEEDS - 1) // FEEDS
        self._progress = Progress(gateway, limit_ms, now_ms)
        self._feed_at_ms = self._say_at_ms = now_ms
        self._said: list[str] = []
        self._now_ms = now_ms
        self._report: dict[str, object] = {}
        self._report_at_ms: int | None = None
        self.socket = socket
        if socket is not None:
            socket.answer = self._answer

    def step(self, now_ms: int) -> None:
        """Answer who asks; feed the watchdog while everything moves."""
        self._now_ms = now_ms
        if self.socket is not None:
            self.socket.step(now_ms)
        stalled = self._progress.look(now_ms) if self._feed_ms else []
        if self._feed_ms and now_ms >= self._feed_at_ms and not stalled:
            self._feed_at_ms = now_ms + self._feed_ms
            self._notifier.feed()
        if now_ms >= self._say_at_ms or stalled != self._said:
            self._say_at_ms = now_ms + SAY_MS
            self._said = stalled
            self._notifier.say(self._line(stalled))

    def _line(self, stalled: list[str]) -> str:
        gateway = self._gateway
        store = gateway.recorder.store
        error = gateway.recorder.failure or gateway.uploader.error
        parts = [f"{store.next_seq - 1 - store.acked_seq} records to send"]
        parts.append("uplink " + gateway.uploader.uplink.state)
        failing = sum(station.trouble is not None for station in gateway.stations.values())
        parts.append(f"{failing} of {len(gateway.stations)} devices failing")
        if error is not None:
            parts.append(error.code)
        if stalled:
            parts.append("no progress: " + ", ".join(stalled))
        return "; ".join(parts)

    def _answer(self, path: str) -> tuple[str, bytes] | None:
        if path not in ("/status", "/metrics"):
            return None
        if self._report_at_ms is None or self._now_ms - self._report_at_ms >= FRESH_MS:
            self._report = self._reporter.report(self._now_ms)
            self._report_at_ms = self._now_ms
        if path == "/metrics":
            return MEDIA, encode_metrics(self._report).encode()
        return "application/json", json.dumps(self._report).encode() + b"\n"

    def descriptors(self) -> tuple[list[int], list[int]]:
        """Descriptors that want a step when they are readable, and when they are writable."""
        if self.socket is None:
            return [], []
        return self.socket.reading(), self.socket.writing()

    def next_ms(self) -> int:
        """When the next step is wanted at the latest."""
        due = [self._say_at_ms]
        if self._feed_ms:
            due.append(max(self._feed_at_ms, self._now_ms + self._feed_ms // 2))
        socket_ms = None if self.socket is None else self.socket.next_ms()
        if socket_ms is not None:
            due.append(socket_ms)
        return min(due)

    def close(self) -> None:
        """Let go of port and socket."""
        if self.socket is not None:
            self.socket.close()
        self._notifier.close()
