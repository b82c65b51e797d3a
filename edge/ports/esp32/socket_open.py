"""A socket on its way to its server, and what is wrong with one, in words."""

import errno
import select
import socket

#: In words, by number: newlib's, lwIP's for names, mbedTLS' for certificates (x509.h, -0x2700).
_REASONS = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "connection reset",
    113: "connection aborted",
    116: "timed out",
    118: "no route to the server",
    128: "not connected",
    -2: "name not found",
    -202: "name not found",
    -9984: "certificate: chain, name or dates are not accepted",
}

_WAITING = (errno.EAGAIN, errno.EINPROGRESS, 119)


def find_address(
    target: tuple[str, int], known: tuple[object, object]
) -> tuple[tuple[str, int], object]:
    """(server, its address); known: that of the last time, for when none can be found now."""
    try:
        return target, socket.getaddrinfo(*target)[0][-1]
    except OSError:
        if known[0] != target:
            raise
        return target, known[1]


def connect(address: object) -> tuple[object, object]:
    """A socket that begins to connect, and what waits for it."""
    made = socket.socket()
    made.setblocking(False)
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    poller = select.poll()
    poller.register(made, select.POLLIN | select.POLLOUT)
    try:
        made.connect(address)  # type: ignore[arg-type]
    except OSError as error:
        if not (error.args and error.args[0] in _WAITING):
            made.close()
            raise
    return made, poller


def secure(made: object, ca: "str | bytes", host: str) -> object:
    """TLS over a connected socket; the handshake goes on as it is read and written."""
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=ca)
    return context.wrap_socket(
        made,  # type: ignore[arg-type]
        server_hostname=host,
        do_handshake_on_connect=False,
    )


def reason_of(number: int, error: Exception) -> str:
    """What an error means; number: its errno, 0 for none."""
    if number in _REASONS:
        return _REASONS[number]
    return "errno " + str(number) if number else str(error)
