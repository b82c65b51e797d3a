"""The Link on Linux: one worker thread a line, so that nothing waits for a bus but the bus."""

import contextlib
import queue
import termios
import threading
from collections.abc import Callable, Sequence

import serial

from edge.core.errors import BusError
from edge.ports.contracts import Link
from edge.ports.linux.serial_line import Line

#: How long closing waits for the worker, which at 300 baud may sleep through a long frame.
CLOSE_S = 1.0

_PORT_ERRORS = (OSError, termios.error, serial.SerialException)


class SerialLink(Link):
    """A Link whose worker thread owns the port; `start` and `poll` never block.

    wake: called from the worker when a transaction has ended.
    A port that fails is closed and opened again by the next transaction.
    """

    def __init__(
        self,
        port: str,
        baud: int,
        serial_format: str,
        wake: Callable[[], None],
        heard: Callable[[int, bytes, int, bytes], None] | None = None,
    ) -> None:
        """heard: called from the worker after each transaction, with (monotonic us of the request,
        request, us of the reply's first byte, reply or b"")."""
        self.port = port
        self._heard = heard
        self._settings = (baud, serial_format)
        self._wake = wake
        self._line: Line | None = None
        self._requests: queue.SimpleQueue[tuple[bytes, int, int] | None] = queue.SimpleQueue()
        self._results: queue.SimpleQueue[bytes | BusError] = queue.SimpleQueue()
        self._worker = threading.Thread(target=self._work, name="bus " + port, daemon=True)
        self._worker.start()

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self._requests.put((request, timeout_ms, gap_ms))

    def poll(self) -> bytes | None:
        try:
            result = self._results.get_nowait()
        except queue.Empty:
            return None
        if isinstance(result, BusError):
            raise result
        return result

    def distrust(self) -> None:
        if self._line is not None:
            self._line.quarantine()

    def findings(self) -> Sequence[BusError]:
        return () if self._line is None else self._line.hearing.taken()

    def close(self) -> None:
        self._requests.put(None)
        line = self._line
        if line is not None:
            # TypeError: the worker has just closed the port itself.
            with contextlib.suppress(*_PORT_ERRORS, TypeError):
                line.cancel()
        self._worker.join(CLOSE_S)

    def _work(self) -> None:
        while (job := self._requests.get()) is not None:
            try:
                self._results.put(self._transact(*job))
            except BusError as error:
                self._results.put(error)
            except _PORT_ERRORS as error:
                self._drop_port()
                self._results.put(BusError("bus.port", port=self.port, reason=str(error)))
            self._wake()
        self._drop_port()

    def _transact(self, request: bytes, timeout_ms: int, gap_ms: int) -> bytes:
        if self._line is None:
            self._line = Line(self.port, *self._settings, timeout_ms)
        line = self._line
        try:
            reply = line.exchange(request, timeout_ms, gap_ms)
        except BusError:
            self._tell(line, request, line.last_reply)
            raise
        self.latency_us = line.latency_us
        self._tell(line, request, reply)
        return reply

    def _tell(self, line: Line, request: bytes, reply: bytes) -> None:
        if self._heard is not None:
            sent_us = int((line.sent_at - len(request) * line.character_s) * 1e6)
            replied_us = int(line.sent_at * 1e6) + line.latency_us
            self._heard(sent_us, request, replied_us, reply)

    def _drop_port(self) -> None:
        if self._line is not None and self._line.serial is not None:
            with contextlib.suppress(*_PORT_ERRORS):
                self._line.serial.close()
        self._line = None
