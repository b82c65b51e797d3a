"""The frames of one line into a trace file while the gateway polls, for the emulator to replay."""

from pathlib import Path

from edge.core.bus.rtu import crc16
from edge.core.errors import ConfigError
from edge.core.field.trace import REPLY, REQUEST, Frame, encode_head, encode_row

#: A trace ends here: an hour of a full line at 9600 baud, and no full disk.
TRACE_MAX_BYTES = 50_000_000


class TraceFile:
    """One trace; `heard` is what `SerialLink` calls after each transaction."""

    def __init__(self, path: Path, baud: int, serial_format: str) -> None:
        """Raises ConfigError "config.file" when the file cannot be written."""
        try:
            self._file = path.open("w", encoding="ascii", buffering=1)
        except OSError as error:
            reason = error.strerror or str(error)
            raise ConfigError("config.file", file=str(path), reason=reason) from error
        self._file.write(encode_head(baud, serial_format) + "\n")
        self._origin_us: int | None = None
        self._size = 0

    def heard(self, sent_us: int, request: bytes, replied_us: int, reply: bytes) -> None:
        """Write one transaction; reply is b"" for silence."""
        if self._size > TRACE_MAX_BYTES:
            return
        if self._origin_us is None:
            self._origin_us = sent_us
        rows = [Frame(sent_us, sent_us, REQUEST, request, True)]
        if reply:
            rows.append(Frame(replied_us, replied_us, REPLY, reply, not crc16(reply)))
        for row in rows:
            line = encode_row(row, self._origin_us) + "\n"
            self._size += len(line)
            self._file.write(line)
