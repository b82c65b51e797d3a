"""The board itself, while a gateway runs on it."""

import os
import socket
import time

import esp32
import machine
import network

from edge.ports.esp32.clock import BoardClock, epoch_of
from edge.ports.esp32.nvs import NAMESPACE, Vault
from edge.ports.esp32.ticks import Ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Wi-Fi that is not there is asked for again so often.
JOIN_MS = 30_000


class Board:
    """What a gateway takes of its board. watchdog: see `board_parts.begin_watch`."""

    watchdog: object = None

    def __init__(self) -> None:
        self.ticks = Ticks(time.ticks_ms, time.ticks_us, time.ticks_diff)  # type: ignore[attr-defined]
        self.vault = Vault(esp32.NVS(NAMESPACE))
        epoch_ms = epoch_of(time.gmtime(0)[0])
        self.clock = BoardClock(self.ticks, lambda: time.time_ns() // 1_000_000, epoch_ms)
        self._epoch_ms = epoch_ms
        self._wlan: object = None
        self._join_ms = 0

    def feed(self) -> None:
        """All is well."""
        if self.watchdog is not None:
            self.watchdog.feed()  # type: ignore[attr-defined]

    def join(self, ssid: str | None, now_ms: int) -> None:
        """Keep the Wi-Fi; its key is in NVS. Without a name there is none to keep."""
        if ssid is None or now_ms < self._join_ms:
            return
        self._join_ms = now_ms + JOIN_MS
        try:
            if self._wlan is None:
                wlan = network.WLAN(network.STA_IF)
                wlan.active(True)
                self._wlan = wlan
            if not self._wlan.isconnected():  # type: ignore[attr-defined]
                self._wlan.connect(ssid, self.vault.text("wifi"))  # type: ignore[attr-defined]
        except (OSError, RuntimeError):
            # An attempt is still under way, or a number that the firmware has no word for
            # (ports/esp32/network_common.c): meters are polled all the same.
            pass

    def set_clock(self, wall_ms: int) -> None:
        """Set the clock of the board."""
        year, month, day, hour, minute, second, weekday = time.gmtime(
            (wall_ms - self._epoch_ms) // 1000
        )[:7]
        fields = (year, month, day, weekday, hour, minute, second, wall_ms % 1000 * 1000)
        machine.RTC().datetime(fields)
        self.clock.synced()

    def sleep(self, ms: int) -> None:
        """Wait; bytes of the line are kept meanwhile."""
        time.sleep_ms(ms)  # type: ignore[attr-defined]

    def reset(self) -> None:
        """Begin anew; does not return."""
        machine.reset()


def inverted(pin: machine.Pin) -> "Callable[[int], object]":
    """What drives a line by a pin that is active when it is low."""
    return lambda level: pin.value(1 - level)


def udp_opener(server: str, port: int) -> "Callable[[], object]":
    """What opens a socket to a server, looking its name up."""

    def open_socket() -> object:
        found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        found.setblocking(False)
        found.connect(socket.getaddrinfo(server, port)[0][-1])
        return found

    return open_socket


def random_bytes() -> bytes:
    """Eight bytes that nobody can tell before."""
    return os.urandom(8)
