"""`contracts.Stream` over MicroPython's sockets and ssl (mbedTLS), never blocking but in `wait`.

Except for one thing: lwIP's name look-up blocks, for some seconds at worst. It is done once per
connection, and what it found last is used when it fails.
"""

import errno
import select

from edge.core.errors import SyncError
from edge.core.journal.clock import FLOOR_MS
from edge.ports.contracts import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_WAITING = (errno.EAGAIN, errno.EINPROGRESS, 119)


class SocketStream(Stream):
    """A byte stream over TCP, or over TLS on TCP.

    ca: PEM or DER of the only authorities trusted. wall_ms: Unix time as far as known; before it
    is known no certificate can be checked, and TLS is refused.
    """

    def __init__(
        self, ca: "str | bytes" = b"", wall_ms: "Callable[[], int] | None" = None
    ) -> None:
        self._ca = ca
        self._wall_ms = wall_ms
        self._socket: object = None
        self._stream: object = None
        self._poller: object = None
        self._target = ("", 0)
        self._tls = False
        self._is_open = self._is_shaking = False
        self._failure = ""
        self._known: tuple[object, object] = (None, None)

    def open(self, host: str, port: int, tls: bool) -> None:
        self.close()
        self._target = (host, port)
        self._tls = tls
        if tls and self._wall_ms is not None and self._wall_ms() < FLOOR_MS:
            self._failure = "the time is not known yet, so no certificate can be checked"
            return
        from edge.ports.esp32.socket_open import connect, find_address

        try:
            self._known = find_address(self._target, self._known)
            self._socket, self._poller = connect(self._known[1])
            self._stream = self._socket
        except OSError as error:
            self._failure = _reason(error)

    def poll(self) -> str:
        if self._failure:
            raise self._lost(self._failure)
        if self._socket is None:
            return "closed"
        if not self._is_open:
            for _, bits in self._poller.poll(0):  # type: ignore[attr-defined]
                self._advance(bits)
        return "open" if self._is_open else "connecting"

    def _advance(self, bits: int) -> None:
        if bits & (select.POLLERR | select.POLLHUP):
            raise self._lost(self._why())
        if not bits & select.POLLOUT:
            return
        if not self._tls or self._is_shaking:
            self._is_open = True
            return
        from edge.ports.esp32.socket_open import secure

        self._is_shaking = True
        try:
            self._stream = secure(self._socket, self._ca, self._target[0])
        except (OSError, ValueError) as error:
            raise self._lost(_reason(error))

    def _why(self) -> str:
        """What a socket that failed has to say."""
        try:
            self._stream.read(1)  # type: ignore[attr-defined]
        except OSError as error:
            return _reason(error)
        return "connection refused"

    def send(self, data: "bytes | memoryview") -> int:
        if self._stream is None:
            raise self._lost("not connected")
        if not data:
            return 0
        try:
            sent: int | None = self._stream.write(data)  # type: ignore[attr-defined]
        except OSError as error:
            if _number(error) in _WAITING:
                return 0
            raise self._lost(_reason(error))
        return sent or 0

    def recv(self, limit: int) -> bytes:
        if self._stream is None:
            raise self._lost("not connected")
        try:
            # A plain socket's read() waits for all of it; a TLS one has no recv() on the board.
            source = self._stream.read if self._tls else self._stream.recv  # type: ignore
            data = source(limit)
        except OSError as error:
            if _number(error) in _WAITING:
                return b""
            raise self._lost(_reason(error))
        if data is None:
            return b""
        if not data:
            raise self._lost("closed by the server")
        return bytes(data)

    def wait(self, timeout_ms: int, writing: bool = False) -> None:
        if self._socket is None or self._failure:
            return
        mask = select.POLLIN
        if writing or not self._is_open:
            mask |= select.POLLOUT
        self._poller.modify(self._socket, mask)  # type: ignore[attr-defined]
        self._poller.poll(max(0, timeout_ms))  # type: ignore[attr-defined]
        self._poller.modify(self._socket, select.POLLIN | select.POLLOUT)  # type: ignore

    def _lost(self, reason: str) -> SyncError:
        host, port = self._target
        self.close()
        return SyncError("sync.offline", server=host + ":" + str(port), reason=reason)

    def close(self) -> None:
        self._is_open = self._is_shaking = False
        self._failure = ""
        if self._stream is not None:
            try:
                self._stream.close()  # type: ignore[attr-defined]
            except OSError:
                pass
        self._socket = self._stream = None


def _number(error: Exception) -> int:
    return error.args[0] if error.args and isinstance(error.args[0], int) else 0


def _reason(error: Exception) -> str:
    from edge.ports.esp32.socket_open import reason_of

    return reason_of(_number(error), error)
