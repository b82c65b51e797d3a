# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""lwIP's sockets over those of the host, with the ESP32's error numbers and short writes."""

import io

import _host
from uctypes import addressof

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
IPPROTO_TCP = 6
IPPROTO_UDP = 17
SOL_SOCKET = 0xFFF
SO_REUSEADDR = 4
SO_KEEPALIVE = 8
TCP_NODELAY = 1
_EAGAIN = 11
_ETIMEDOUT = 116
_EINPROGRESS = 119
_CONNECTED = 1
_FAILED = 3
_POLL = 3
_CLOSE = 4


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    if not _host.net_up():
        raise OSError(-202)  # EAI_FAIL
    return [(AF_INET, SOCK_STREAM, 0, "", (host, port))]


class socket(io.IOBase):
    def __init__(self, family=AF_INET, type=SOCK_STREAM, proto=0):
        self._id = _host.sock_new()
        self._timeout = -1
        self._is_datagram = type == SOCK_DGRAM
        self._is_open = True

    def settimeout(self, seconds):
        self._timeout = -1 if seconds is None else int(seconds * 1000)

    def setblocking(self, flag):
        self._timeout = -1 if flag else 0

    def setsockopt(self, level, option, value):
        if level == IPPROTO_TCP and option == TCP_NODELAY:
            _host.sock_option(self._id, value)

    def _wait(self, mask):
        """OSError when the socket is not ready within the time that was set."""
        if self._timeout == 0:
            raise OSError(_EAGAIN)
        if not _host.sock_wait(self._id, mask, self._timeout):
            raise OSError(_ETIMEDOUT)

    def connect(self, address):
        if self._is_datagram:
            self._peer = address
            return
        result = _host.sock_connect(self._id, address[0], address[1])
        if result < 0:
            raise OSError(-result)
        if self._timeout == 0:
            raise OSError(_EINPROGRESS)
        self._wait(4)
        self._check()

    def _check(self):
        if _host.sock_state(self._id) == _FAILED:
            raise OSError(_host.sock_reason(self._id))

    def send(self, data):
        while True:
            sent = _host.sock_send(self._id, addressof(data), len(data))
            if sent != -_EAGAIN:
                break
            self._wait(4)
        if sent < 0:
            raise OSError(-sent)
        return sent

    def sendall(self, data):
        view = memoryview(data)
        while len(view):
            view = view[self.send(view) :]

    def write(self, data, length=None):
        try:
            return self.send(data)
        except OSError as error:
            if error.errno == _EAGAIN:
                return None
            raise

    def _receive(self, address, length):
        while True:
            got = _host.sock_recv(self._id, address, length)
            if got != -_EAGAIN:
                break
            self._wait(1)
        if got < 0:
            raise OSError(-got)
        return got

    def recv(self, count):
        buffer = bytearray(count)
        return bytes(memoryview(buffer)[: self._receive(addressof(buffer), count)])

    def readinto(self, buffer, length=-1):
        wanted = len(buffer) if length < 0 else length
        done = 0
        while done < wanted:
            try:
                got = self._receive(addressof(buffer) + done, wanted - done)
            except OSError as error:
                if error.errno != _EAGAIN:
                    raise
                return done or None
            if not got:
                break
            done += got
        return done

    def read(self, count=-1):
        if count < 0:
            parts = b""
            while True:
                part = self.recv(512)
                if not part:
                    return parts
                parts += part
        buffer = bytearray(count)
        done = self.readinto(buffer)
        return None if done is None else bytes(memoryview(buffer)[:done])

    def readline(self):
        line = b""
        while not line.endswith(b"\n"):
            byte = self.recv(1)
            if not byte:
                break
            line += byte
        return line

    def sendto(self, data, address):
        sent = _host.sock_sendto(self._id, address[0], address[1], addressof(data), len(data))
        if sent < 0:
            raise OSError(-sent)
        return sent

    def recvfrom(self, count):
        buffer = bytearray(count)
        while True:
            got = _host.sock_recvfrom(self._id, addressof(buffer), count)
            if got >= 0:
                return bytes(memoryview(buffer)[:got]), ("0.0.0.0", 0)
            self._wait(1)

    def ioctl(self, request, argument):
        if request == _POLL:
            return _host.sock_ready(self._id) & (argument | 24)
        if request == _CLOSE:
            self.close()
        return 0

    def fileno(self):
        return self._id

    def close(self):
        if self._is_open:
            self._is_open = False
            _host.sock_close(self._id)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
