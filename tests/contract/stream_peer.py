"""The other end of `stream_contract`: a server that does what a connection's first line says.

echo N: send N bytes back · farewell: "last", then close · reset: RST · hold N: read nothing until
another connection says release, then N bytes of the pattern, and "same" if they are · release.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from .brokers import DEADLINE_S, HOST
from .stream_contract import pattern


@contextmanager
def stream_peer() -> Iterator[int]:
    """Serve connections, each on a thread of its own; yield the port."""
    released = threading.Event()
    with socket.create_server((HOST, 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.settimeout(DEADLINE_S)
                    arguments = (connection, released)
                    threading.Thread(target=_serve, args=arguments, daemon=True).start()

        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)


def _serve(connection: socket.socket, released: threading.Event) -> None:
    with connection, connection.makefile("rb") as source, suppress(OSError):
        word, _, number = source.readline().decode().strip().partition(" ")
        if word == "echo":
            connection.sendall(source.read(int(number)))
            source.read(1)
        elif word == "farewell":
            connection.sendall(b"last")
        elif word == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif word == "release":
            released.set()
            connection.sendall(b"ok")
            source.read(1)
        elif word == "hold" and released.wait(DEADLINE_S):
            released.clear()
            is_same = source.read(int(number)) == pattern(0, int(number))
            connection.sendall(b"same" if is_same else b"diff")
            source.read(1)
