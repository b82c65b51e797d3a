"""Telling systemd how the service is: sd_notify(3) over the datagram socket that it names.

Without NOTIFY_SOCKET in the environment nothing is told. Telling never blocks and never fails:
what systemd does not take now it is told with the next feed.
"""

import os
import socket
from collections.abc import Mapping


class Notifier:
    """The service's end of the socket.

    watchdog_ms: systemd restarts a service that it has not heard of for so long; 0 for never.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        self.watchdog_ms = _watchdog_ms(environment)
        self._socket: socket.socket | None = None
        name = environment.get("NOTIFY_SOCKET", "")
        if name[:1] not in ("/", "@"):
            return
        self._address = "\0" + name[1:] if name[0] == "@" else name  # "@": the abstract namespace
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.setblocking(False)

    def ready(self) -> None:
        """The service works from now on."""
        self._tell("READY=1")

    def feed(self) -> None:
        """The service makes progress."""
        self._tell("WATCHDOG=1")

    def stopping(self) -> None:
        """The service begins to stop."""
        self._tell("STOPPING=1")

    def say(self, text: str) -> None:
        """One line for people, shown by `systemctl status`."""
        self._tell("STATUS=" + text.replace("\n", " "))

    def _tell(self, message: str) -> None:
        if self._socket is not None:
            try:
                self._socket.sendto(message.encode(), self._address)
            except OSError:
                pass

    def close(self) -> None:
        """Let go of the socket."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


def _watchdog_ms(environment: Mapping[str, str]) -> int:
    """Milliseconds of the watchdog that is meant for this process, see sd_watchdog_enabled(3)."""
    text = environment.get("WATCHDOG_USEC", "")
    of = environment.get("WATCHDOG_PID", str(os.getpid()))
    if not (text.isascii() and text.isdigit()) or of != str(os.getpid()):
        return 0
    return int(text) // 1000
