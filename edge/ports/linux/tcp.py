"""`contracts.Stream` over Linux sockets and OpenSSL, never blocking but in `wait`."""

import errno
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

from edge.core.errors import SyncError
from edge.ports.contracts import Stream
from edge.ports.linux.tls import check_clock, dates_error, describe_failure, verifying_context

#: What getaddrinfo gives: family, kind, protocol, canonical name, socket address.
_Address = tuple[int, int, int, str, Any]
_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class _Lookup:
    """One name look-up in a daemon thread of its own, because getaddrinfo cannot be bounded.

    addresses: what was found, once `done` is set. reason: why it is nothing.
    """

    def __init__(self, host: str, port: int, wake: Callable[[], None]) -> None:
        self.target = (host, port)
        self.addresses: list[_Address] = []
        self.reason = ""
        self.done = threading.Event()
        self._wake = wake
        threading.Thread(target=self._run, name="name-lookup", daemon=True).start()

    def may_serve(self, target: tuple[str, int]) -> bool:
        """Tell whether this look-up is of `target` and has not failed (yet)."""
        return self.target == target and not (self.done.is_set() and not self.addresses)

    def _run(self) -> None:
        try:
            self.addresses = find_addresses(*self.target)
        except (OSError, UnicodeError) as error:
            self.reason = describe_failure(error)
        finally:
            self.done.set()
            self._wake()


class TcpStream(Stream):
    """A byte stream over TCP, or over TLS on TCP.

    ca_file: PEM file of the only authorities trusted; None trusts the system's.
    address_timeout_ms: how long one of several addresses of a name is tried before the next.
    wake: called from another thread when a name has been looked up, which no descriptor shows.
    Raises ConfigError "config.file" if ca_file cannot be used.
    """

    def __init__(
        self,
        ca_file: str | None = None,
        address_timeout_ms: int = 2000,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._ca_file = ca_file
        self._wake = wake
        self._address_timeout_s = address_timeout_ms / 1000
        self._context = None if ca_file is None else verifying_context(ca_file)
        self._lookup: _Lookup | None = None
        self._socket: socket.socket | None = None
        self._target = ("", 0)
        self._tls = False
        self._reset()

    def _reset(self) -> None:
        self._state = "closed"
        self._stage = ""
        self._addresses: list[_Address] = []
        self._failure = ""
        self._address_since_s = 0.0
        self._wants_write = False
        self._is_full = False

    def open(self, host: str, port: int, tls: bool) -> None:
        self.close()
        self._target = (host, port)
        self._tls = tls
        self._state = "connecting"
        try:
            self._addresses = find_addresses(host, port, socket.AI_NUMERICHOST)
            self._stage = "next"
        except (OSError, UnicodeError):
            self._stage = "resolve"
            # A look-up slower than the last attempt is waited for on, not repeated.
            if self._lookup is None or not self._lookup.may_serve(self._target):
                self._lookup = _Lookup(host, port, self._wake)

    def poll(self) -> str:
        if self._state != "connecting":
            return self._state
        if self._stage == "resolve":
            self._finish_lookup()
        if self._stage == "next":
            self._try_next()
        if self._stage == "connect":
            self._finish_connect()
        if self._stage == "handshake":
            self._finish_handshake()
        return self._state

    def _finish_lookup(self) -> None:
        lookup = self._lookup
        if lookup is not None and lookup.done.is_set():
            self._lookup = None
            self._addresses = list(lookup.addresses)
            self._failure = lookup.reason
            self._stage = "next"

    def _try_next(self) -> None:
        """Start to connect to the next address that lets itself be tried."""
        while self._addresses:
            family, kind, protocol, _, address = self._addresses.pop(0)
            self._close_socket()
            try:
                self._socket = socket.socket(family, kind, protocol)
                self._socket.setblocking(False)
                self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                status = self._socket.connect_ex(address)
            except OSError as error:
                self._failure = describe_failure(error)
                continue
            if status in (0, errno.EINPROGRESS):
                self._address_since_s = time.monotonic()
                self._stage = "connect"
                return
            self._failure = describe_failure(OSError(status, ""))
        raise self._failed(self._failure or "no address")

    def _finish_connect(self) -> None:
        sock = self._opened()
        if not _wait_for(sock, select.POLLOUT, 0):
            waited_s = time.monotonic() - self._address_since_s
            if self._addresses and waited_s >= self._address_timeout_s:
                self._try_next()
            return
        status = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if status:
            self._failure = describe_failure(OSError(status, ""))
            self._try_next()
        elif self._tls:
            self._start_handshake(sock)
        else:
            self._state = "open"
            self._stage = ""

    def _start_handshake(self, sock: socket.socket) -> None:
        try:
            check_clock(self._server)
        except SyncError:
            self.close()
            raise
        if self._context is None:
            self._context = verifying_context(None)
        try:
            self._socket = self._context.wrap_socket(
                sock, server_hostname=self._target[0], do_handshake_on_connect=False
            )
        except (OSError, ValueError) as error:
            raise self._failed(describe_failure(error))
        self._stage = "handshake"

    def _finish_handshake(self) -> None:
        sock = self._opened()
        assert isinstance(sock, ssl.SSLSocket)
        self._wants_write = False
        try:
            sock.do_handshake()
        except _WOULD_BLOCK as error:
            self._wants_write = isinstance(error, ssl.SSLWantWriteError)
            return
        except (OSError, ValueError) as error:
            self.close()
            raise dates_error(self._server, error) or self._failed(describe_failure(error))
        self._state = "open"
        self._stage = ""

    def send(self, data: "bytes | memoryview") -> int:
        if not data:
            return 0
        try:
            sent = self._opened().send(data)
        except _WOULD_BLOCK as error:
            self._is_full = not isinstance(error, ssl.SSLWantReadError)
            return 0
        except OSError as error:
            raise self._failed(describe_failure(error))
        self._is_full = sent < len(data)
        return sent

    def recv(self, limit: int) -> bytes:
        self._wants_write = False
        try:
            data = self._opened().recv(limit)
        except _WOULD_BLOCK as error:
            # TLS may have to write (a key update) before it can read on.
            self._wants_write = isinstance(error, ssl.SSLWantWriteError)
            return b""
        except OSError as error:
            raise self._failed(describe_failure(error))
        if not data:
            raise self._failed("closed by the server")
        return data

    def wait(self, timeout_ms: int, writing: bool = False) -> None:
        timeout_ms = max(0, timeout_ms)
        if self._stage == "resolve" and self._lookup is not None:
            self._lookup.done.wait(timeout_ms / 1000)
        elif self._socket is not None:
            events = 0 if self._stage == "connect" else select.POLLIN
            if writing or self.is_writing:
                events |= select.POLLOUT
            # Bytes OpenSSL has already decrypted do not show on the socket.
            if not (isinstance(self._socket, ssl.SSLSocket) and self._socket.pending()):
                _wait_for(self._socket, events, timeout_ms)

    def wait_ms(self) -> int | None:
        if self._stage == "connect" and self._addresses:
            waited_ms = int(1000 * (time.monotonic() - self._address_since_s))
            return max(0, int(1000 * self._address_timeout_s) - waited_ms)
        return 0 if self._stage == "next" else None

    @property
    def is_writing(self) -> bool:
        """True when the descriptor being writable is worth a call, not only its being readable."""
        return self._stage == "connect" or self._wants_write or self._is_full

    def fileno(self) -> int:
        """The descriptor to select on, -1 while there is none (closed, or looking up a name)."""
        return -1 if self._socket is None else self._socket.fileno()

    def close(self) -> None:
        self._close_socket()
        self._reset()

    def _close_socket(self) -> None:
        if self._socket is not None:
            try:
                # Says good-bye before the reset that unread bytes would cause.
                self._socket.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            self._socket.close()
            self._socket = None

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise self._failed("not connected")
        return self._socket

    def _failed(self, reason: str) -> SyncError:
        self.close()
        return SyncError("sync.offline", server=self._server, reason=reason)

    @property
    def _server(self) -> str:
        return f"{self._target[0]}:{self._target[1]}"


def find_addresses(host: str, port: int, flags: int = 0) -> list[_Address]:
    """Return getaddrinfo's addresses for a TCP connection; blocks unless AI_NUMERICHOST is set."""
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=flags))


def _wait_for(sock: socket.socket, events: int, timeout_ms: int) -> bool:
    """Tell whether one of `events`, or a failure, comes up on the socket in time."""
    poller = select.poll()
    poller.register(sock, events)
    return bool(poller.poll(timeout_ms))
