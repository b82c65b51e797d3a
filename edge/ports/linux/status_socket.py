"""A read-only HTTP/1.0 server for a machine's own eyes, stepped by the gateway's loop.

It listens on loopback only, never blocks and never fails its caller. One connection is one
request; a client that is slow to ask or to listen is dropped, and while MOST_CONNECTIONS are open
further ones wait to be accepted.
"""

import contextlib
import socket
from collections.abc import Callable

HOST = "127.0.0.1"

MOST_CONNECTIONS = 3

#: From being accepted to having read all of the answer.
CLIENT_MS = 2_000

#: A request line and its headers.
REQUEST_MAX_BYTES = 2_048

#: A port that somebody else has is asked for again after this.
RETRY_MS = 10_000

#: Names a browser may have used to come here: other names that lead to loopback are a trick to
#: let a web page read what the gateway says.
HOSTS = ("127.0.0.1", "localhost", "[::1]")

REASONS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    431: "Request Header Fields Too Large",
}

#: Path -> (media type, body), or None for a path that there is not.
Answer = Callable[[str], "tuple[str, bytes] | None"]


class _Client:
    """One connection. out: what is still to be sent, None while the request is read."""

    def __init__(self, connection: socket.socket, until_ms: int) -> None:
        self.connection = connection
        self.until_ms = until_ms
        self.request = b""
        self.out: memoryview | None = None
        self.is_over = False

    def step(self, answer: Answer) -> None:
        """Take and give what can be taken and given now."""
        try:
            if self.out is None:
                self._read(answer)
            if self.out is not None:
                self._write()
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            self.is_over = True

    def _read(self, answer: Answer) -> None:
        data = self.connection.recv(REQUEST_MAX_BYTES)
        self.request += data
        if not data:
            self.is_over = True
        elif b"\r\n\r\n" in self.request:
            self.out = memoryview(reply_to(self.request, answer))
        elif len(self.request) >= REQUEST_MAX_BYTES:
            self.out = memoryview(encode_reply(431))

    def _write(self) -> None:
        if self.out:
            self.out = self.out[self.connection.send(self.out) :]
            if not self.out:
                self.connection.shutdown(socket.SHUT_WR)
        # Closing before the client has would reset what it may not have read yet.
        elif not self.connection.recv(REQUEST_MAX_BYTES):
            self.is_over = True


class StatusSocket:
    """The listener and its clients. answer: called in `step` for a GET of a path."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.answer: Answer = lambda path: None
        self._listener: socket.socket | None = None
        self._clients: list[_Client] = []
        self._retry_at_ms = 0

    @property
    def is_open(self) -> bool:
        """True while it listens."""
        return self._listener is not None

    def step(self, now_ms: int) -> None:
        """Do what can be done without waiting."""
        if self._listener is None and now_ms >= self._retry_at_ms:
            self._listen(now_ms)
        while len(self._clients) < MOST_CONNECTIONS and self._accept(now_ms):
            pass
        for client in self._clients:
            client.step(self.answer)
            if client.is_over or now_ms >= client.until_ms:
                client.is_over = True
                client.connection.close()
        self._clients = [client for client in self._clients if not client.is_over]

    def _listen(self, now_ms: int) -> None:
        self._retry_at_ms = now_ms + RETRY_MS
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, self.port))
            listener.listen()
        except OSError:
            listener.close()
            return
        listener.setblocking(False)
        self._listener = listener

    def _accept(self, now_ms: int) -> bool:
        if self._listener is None:
            return False
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return False
        connection.setblocking(False)
        self._clients.append(_Client(connection, now_ms + CLIENT_MS))
        return True

    def reading(self) -> list[int]:
        """Descriptors that want a step when they are readable."""
        fds = [c.connection.fileno() for c in self._clients if not c.out]
        if self._listener is not None and len(self._clients) < MOST_CONNECTIONS:
            fds.append(self._listener.fileno())
        return fds

    def writing(self) -> list[int]:
        """Descriptors that want a step when they are writable."""
        return [client.connection.fileno() for client in self._clients if client.out]

    def next_ms(self) -> int | None:
        """When a step is wanted without any of them; None for never."""
        due = [client.until_ms for client in self._clients]
        if self._listener is None:
            due.append(self._retry_at_ms)
        return min(due, default=None)

    def close(self) -> None:
        """Let go of everything."""
        for client in self._clients:
            client.connection.close()
        self._clients = []
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.close()
            self._listener = None


def reply_to(request: bytes, answer: Answer) -> bytes:
    """The whole reply to a whole request head."""
    lines = request.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1.") or not words[1].startswith("/"):
        return encode_reply(400)
    if words[0] not in ("GET", "HEAD"):
        return encode_reply(405)
    if not _is_local(lines[1:]):
        return encode_reply(403)
    found = answer(words[1].partition("?")[0])
    reply = encode_reply(404) if found is None else encode_reply(200, *found)
    return reply if words[0] == "GET" else reply[: reply.index(b"\r\n\r\n") + 4]


def _is_local(headers: list[str]) -> bool:
    for header in headers:
        name, _, value = header.partition(":")
        if name.strip().lower() == "host":
            host, colon, port = value.strip().lower().rpartition(":")
            return (host if colon and port.isdigit() else value.strip().lower()) in HOSTS
    return True  # HTTP/1.0 needs none, and no browser leaves it out


def encode_reply(status: int, media: str = "text/plain", body: bytes | None = None) -> bytes:
    """A reply with a body, the status in words unless given."""
    content = REASONS[status].encode() + b"\n" if body is None else body
    head = (
        f"HTTP/1.0 {status} {REASONS[status]}\r\nContent-Type: {media}\r\n"
        f"Content-Length: {len(content)}\r\nCache-Control: no-store\r\n"
        "X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content
