"""The two ends a bus can have: a pty pair, or a real serial port.

Both offer `fileno`, `read`, `write`, `unread`, `unplug`, `replug`, `close`, the `name` a master
opens, and `paced`: whether the line must hold each byte back for its time on the wire (a pty has
none of its own).
"""

import fcntl
import os
import sys
import termios
import tty
from pathlib import Path

import serial

from edge.core.errors import BusError

_CHUNK_BYTES = 4096

#: USB adapters hand bytes over in bursts; a pause below this does not end a frame.
_ADAPTER_PAUSE_S = 0.020


class PtyPort:
    """A pty pair: stations on the controlling end, the master opens `name`.

    link: path of a symbolic link to the tty, so that a configuration can name a stable port.
    """

    paced = True
    pause_s = 0.0

    def __init__(self, link: Path | None = None) -> None:
        self._link = link
        self.replug()

    def replug(self) -> None:
        """Make the pair and its link; after unplug() at the same link, another tty behind it."""
        # Both ends stay open: with the tty closed, the other end would read as hung up.
        self._fd, self._tty_fd = os.openpty()
        self._is_open = True
        tty.setraw(self._fd)
        tty.setraw(self._tty_fd)
        os.set_blocking(self._fd, False)
        self._tty_name = os.ttyname(self._tty_fd)
        self.name = self._tty_name
        if self._link is not None:
            self._make_link(self._link)

    def _make_link(self, link: Path) -> None:
        link.parent.mkdir(parents=True, exist_ok=True)
        if link.is_symlink():
            link.unlink()
        try:
            link.symlink_to(self._tty_name)
        except OSError as error:
            self.close()
            raise BusError("bus.port", port=str(link), reason=error.strerror)
        self.name = str(link)

    def fileno(self) -> int:
        return self._fd

    def read(self) -> bytes:
        try:
            return os.read(self._fd, _CHUNK_BYTES)
        except BlockingIOError:
            return b""

    def write(self, data: bytes) -> None:
        """Put `data` on the line; what no one takes in time is lost, as on a real line."""
        try:
            os.write(self._fd, data)
        except BlockingIOError:
            pass

    def unread(self) -> int:
        """Bytes that the master has not taken yet."""
        return int.from_bytes(fcntl.ioctl(self._tty_fd, termios.FIONREAD, bytes(4)), sys.byteorder)

    def unplug(self) -> None:
        """Take the pair away, as a USB adapter goes: the master's end hangs up."""
        link = self._link
        if link is not None and link.is_symlink() and str(link.readlink()) == self._tty_name:
            link.unlink()
        self._is_open = False
        os.close(self._fd)
        os.close(self._tty_fd)

    def close(self) -> None:
        if self._is_open:
            self.unplug()


class SerialPort:
    """A real serial port; its hardware keeps the time of every character."""

    paced = False
    pause_s = _ADAPTER_PAUSE_S

    def __init__(self, name: str, baud: int, line_format: str) -> None:
        self.name = name
        try:
            self._serial = serial.Serial(
                name,
                baud,
                bytesize=int(line_format[0]),
                parity=line_format[1],
                stopbits=int(line_format[2]),
                timeout=0,
                exclusive=True,
            )
        except (OSError, ValueError) as error:
            raise BusError("bus.port", port=name, reason=str(error))

    def fileno(self) -> int:
        return int(self._serial.fileno())

    def read(self) -> bytes:
        return bytes(self._serial.read(_CHUNK_BYTES))

    def write(self, data: bytes) -> None:
        self._serial.write(data)

    def unread(self) -> int:
        """Bytes that are not on the wire yet."""
        return int(self._serial.out_waiting)

    def unplug(self) -> None:
        """No program can pull a real plug; scenarios refuse to ask for it."""
        raise OSError("a real port cannot be unplugged")

    def replug(self) -> None:
        """Never asked for, as unplug() refuses."""
        raise OSError("a real port cannot be plugged in")

    def close(self) -> None:
        self._serial.close()
