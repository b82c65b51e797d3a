# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""TLS by the host on a socket of shim/socket.py, with MicroPython's calls.

The host's OpenSSL checks chain and name, and the dates by the device's clock. What this can't
show is the memory that mbedTLS takes on the board.
"""

import _host

PROTOCOL_TLS_CLIENT = 0
CERT_NONE = 0
CERT_OPTIONAL = 1
CERT_REQUIRED = 2
_NEW = 0
_FAILED = 3
_EAGAIN = 11
_BEGIN = b"-----BEGIN CERTIFICATE-----\n"
_END = b"-----END CERTIFICATE-----\n"


class SSLContext:
    def __init__(self, protocol):
        self.verify_mode = CERT_REQUIRED
        self._ca = ""

    def load_verify_locations(self, cafile=None, cadata=None):
        if cadata is None:
            with open(cafile, "rb") as file:
                cadata = file.read()
        if isinstance(cadata, str):
            cadata = cadata.encode()
        if not cadata.startswith(b"-----BEGIN"):
            from binascii import b2a_base64

            text = b2a_base64(cadata).decode()
            cadata = b"%s%s%s" % (_BEGIN, text.encode(), _END)
        self._ca = cadata.decode()

    def wrap_socket(
        self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None
    ):
        if self.verify_mode == CERT_REQUIRED and server_hostname is None:
            raise ValueError("server_hostname is required")
        ca = self._ca if self.verify_mode == CERT_REQUIRED else ""
        if self.verify_mode == CERT_REQUIRED and not ca:
            raise ValueError("no CA")
        _host.sock_secure(sock._id, ca, server_hostname or "")
        wrapped = SSLSocket(sock)
        if do_handshake_on_connect and sock._timeout != 0:
            wrapped.do_handshake()
        return wrapped


class SSLSocket:
    """The wrapped socket: its calls are the plain one's, once the handshake is over."""

    def __init__(self, sock):
        self._sock = sock

    def do_handshake(self):
        sock = self._sock
        while _host.sock_state(sock._id) == _NEW:
            sock._wait(4)
        self._check()

    def _check(self):
        if _host.sock_state(self._sock._id) == _FAILED:
            raise OSError(-_host.sock_reason(self._sock._id))

    def write(self, data):
        if _host.sock_state(self._sock._id) == _NEW:
            return None
        self._check()
        return self._sock.write(data)

    def read(self, count=-1):
        if _host.sock_state(self._sock._id) == _NEW:
            return None
        self._check()
        try:
            return self._sock.recv(count if count > 0 else 1024)
        except OSError as error:
            if error.errno == _EAGAIN:
                return None
            raise

    send = write
    recv = read

    def readinto(self, buffer):
        data = self.read(len(buffer))
        if data is None:
            return None
        buffer[: len(data)] = data
        return len(data)

    def setblocking(self, flag):
        self._sock.setblocking(flag)

    def settimeout(self, seconds):
        self._sock.settimeout(seconds)

    def ioctl(self, request, argument):
        return self._sock.ioctl(request, argument)

    def close(self):
        self._sock.close()
