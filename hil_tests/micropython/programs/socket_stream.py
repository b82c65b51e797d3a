# mypy: disable-error-code="arg-type"
"""`contracts.Stream` over MicroPython's sockets and ssl, as short as it can be."""

import select
import socket

from edge.core.errors import SyncError
from edge.ports.contracts import Stream

EAGAIN = 11
EINPROGRESS = 119


class SocketStream(Stream):
    """One connection at a time. ca: PEM text for TLS."""

    def __init__(self, ca: str = "") -> None:
        self._ca = ca
        self._socket: socket.socket | None = None
        self._stream: object = None
        self._poller = select.poll()
        self._is_open = False
        self._failure = ""

    def open(self, host: str, port: int, tls: bool) -> None:
        self.close()
        self._failure = ""
        self._host = host
        self._tls = tls
        self._is_shaking = False
        try:
            self._socket = self._stream = socket.socket()
            self._socket.setblocking(False)
            self._socket.connect(socket.getaddrinfo(host, port)[0][-1])
        except OSError as error:
            if error.errno != EINPROGRESS:
                self._failure = str(error.errno)
        self._poller = select.poll()
        self._poller.register(self._socket, select.POLLIN | select.POLLOUT)

    def poll(self) -> str:
        if self._failure:
            self._lose(self._failure)
        if self._socket is None:
            return "closed"
        if self._is_open:
            return "open"
        for _, bits in self._poller.poll(0):
            if bits & (select.POLLERR | select.POLLHUP):
                self._lose("refused")
            if bits & select.POLLOUT and self._tls and not self._is_shaking:
                self._shake()
            elif bits & select.POLLOUT:
                self._is_open = True
        return "open" if self._is_open else "connecting"

    def _shake(self) -> None:
        import ssl

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self._ca)
        self._is_shaking = True
        self._stream = context.wrap_socket(
            self._socket, server_hostname=self._host, do_handshake_on_connect=False
        )

    def _lose(self, reason: str) -> None:
        self.close()
        raise SyncError("sync.offline", reason=reason)

    def send(self, data: "bytes | memoryview") -> int:
        try:
            return self._stream.write(bytes(data)) or 0  # type: ignore[attr-defined]
        except OSError as error:
            self._lose(str(error.errno))
            return 0

    def recv(self, limit: int) -> bytes:
        try:
            data = self._socket.recv(limit)  # type: ignore[union-attr]
        except OSError as error:
            if error.errno == EAGAIN:
                return b""
            self._lose(str(error.errno))
        if not data:
            self._lose("closed by the server")
        return bytes(data)

    def wait(self, timeout_ms: int, writing: bool = False) -> None:
        mask = select.POLLIN | (select.POLLOUT if writing or not self._is_open else 0)
        if self._socket is not None:
            self._poller.modify(self._socket, mask)
            self._poller.poll(timeout_ms)
            self._poller.modify(self._socket, select.POLLIN | select.POLLOUT)

    def close(self) -> None:
        self._is_open = False
        self._failure = ""
        if self._socket is not None:
            self._socket.close()
            self._socket = None
