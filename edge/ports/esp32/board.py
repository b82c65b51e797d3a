"""The board itself: the only module that imports `machine`, `esp32` and `network`.

facts: of the board file, as `carbontally build esp32` wrote them: "rs485" {bus: {"uart", "tx",
"rx", "de", "active"}}, "partition", "watchdog_ms".
"""

import os
import socket
import time

import esp32
import machine
import network

from edge.core.bus.hearing import HEARD_BYTES
from edge.core.errors import ConfigError
from edge.ports.esp32.clock import BoardClock, epoch_of
from edge.ports.esp32.nvs import NAMESPACE, Vault
from edge.ports.esp32.sntp import PORT, Sntp
from edge.ports.esp32.ticks import Ticks
from edge.ports.esp32.uart_link import UartLink

#: Why the board started, by `machine.reset_cause()`.
_CAUSES = ("", "power", "reset", "watchdog", "deep sleep", "soft reset")

#: Wi-Fi that is not there is asked for again so often.
JOIN_MS = 30_000


class Board:
    """What a gateway takes of its board."""

    def __init__(self, facts: dict) -> None:
        self.facts = facts
        self.ticks = Ticks(time.ticks_ms, time.ticks_us, time.ticks_diff)  # type: ignore[attr-defined]
        self.vault = Vault(esp32.NVS(NAMESPACE))
        epoch_ms = epoch_of(time.gmtime(0)[0])
        self.clock = BoardClock(self.ticks, lambda: time.time_ns() // 1_000_000, epoch_ms)
        self._epoch_ms = epoch_ms
        self._wlan: object = None
        self._join_ms = 0
        self._watchdog: object = None

    def reset_cause(self) -> str:
        """Why the board started."""
        cause = machine.reset_cause()
        return _CAUSES[cause] if 0 < cause < len(_CAUSES) else str(cause)

    def begin_watch(self) -> None:
        """From now on `feed` has to be called, or the board resets itself."""
        self._watchdog = machine.WDT(timeout=self.facts["watchdog_ms"])

    def feed(self) -> None:
        """All is well."""
        if self._watchdog is not None:
            self._watchdog.feed()  # type: ignore[attr-defined]

    def partition(self) -> object:
        """The journal's partition; raises ConfigError "config.file"."""
        name = self.facts["partition"]
        found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label=name)
        if not found:
            raise ConfigError("config.file", file=name, reason="no such partition on this flash")
        return found[0]

    def link(self, port: str, baud: int, character_format: str) -> UartLink:
        """The line on one of the board's RS-485 ports."""
        facts = self.facts["rs485"][port]
        parity = {"N": None, "E": 0, "O": 1}[character_format[1]]
        uart = machine.UART(
            facts["uart"],
            baud,
            bits=int(character_format[0]),
            parity=parity,
            stop=int(character_format[2]),
            tx=facts["tx"],
            rx=facts["rx"],
            rxbuf=HEARD_BYTES,
            timeout=0,
        )
        drive = None
        if facts["de"] is not None:
            active = facts["active"]
            pin = machine.Pin(facts["de"], machine.Pin.OUT, value=1 - active)
            drive = lambda level: pin.value(level if active else 1 - level)  # noqa: E731
        from edge.core.bus.plan import character_bits

        return UartLink(uart, drive, baud, character_bits(character_format), self.ticks, port)

    def join(self, ssid: str | None, now_ms: int) -> None:
        """Keep the Wi-Fi; its key is in NVS. Without a name there is none to keep."""
        if ssid is None or now_ms < self._join_ms:
            return
        self._join_ms = now_ms + JOIN_MS
        if self._wlan is None:
            self._wlan = network.WLAN(network.STA_IF)
            self._wlan.active(True)  # type: ignore[attr-defined]
        if not self._wlan.isconnected():  # type: ignore[attr-defined]
            try:
                self._wlan.connect(ssid, self.vault.text("wifi"))  # type: ignore[attr-defined]
            except OSError:
                pass  # an attempt is still under way

    def sntp(self, server: str) -> Sntp:
        """A time source for the clock."""

        def open_socket() -> object:
            found = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            found.setblocking(False)
            found.connect(socket.getaddrinfo(server, PORT)[0][-1])
            return found

        return Sntp(open_socket, self._set_clock, lambda: os.urandom(8))

    def _set_clock(self, wall_ms: int) -> None:
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
