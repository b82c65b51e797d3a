"""The Link on `machine.UART`: driver enable around one write, then what the buffer has.

The driver's own timeouts have a grain of 10 ms (FreeRTOS ticks), so none is used: `poll` asks
how many bytes are there and takes a frame once it can be whole. Bytes land in one buffer that
is made at the start, and a good reply is a view of it: nothing is allocated but that.
"""

from edge.core.bus.hearing import READS, Hearing
from edge.core.bus.rtu import EXCEPTION_BYTES, FRAME_MAX_BYTES, crc16, read_reply_bytes
from edge.core.errors import BusError
from edge.ports.contracts import Link
from edge.ports.esp32.ticks import Stopwatch, Ticks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.core.bus.plan import Timing

#: What is held of a line: a frame, and what a driver that comes on early puts before it.
BUFFER_BYTES = FRAME_MAX_BYTES + 64

#: A line that is still talking after this long has no silence to wait for.
NOISE_LIMIT_US = 2_000_000

#: After a request without its reply, no other goes out before so many reply timeouts have passed.
LATE_TIMEOUTS = 3

#: What the driver may add between two bytes of one frame, and to a frame's end: its task runs at
#: FreeRTOS' 100 Hz, and it is told of bytes at 120 of them or after a pause (ESP-IDF, uart.c).
PAUSE_US = 50_000
FIFO_BYTES = 120
DRIVER_US = 20_000

#: So often one looks for the first bytes of a frame in the time that it takes.
LOOKS = 16

_IDLE, _RESTING, _HEARING, _TRAILING = range(4)


class UartLink(Link):
    """One line on one UART; `poll` is called every few milliseconds while a transaction runs.

    uart: a `machine.UART`, timeout 0, rxbuf of BUFFER_BYTES at least. drive: called with 1 before
    a request and with 0 after its last bit, None where the transceiver turns around by itself.
    Sending waits for the last bit where there is a `drive`: 9 ms at 9600 baud.
    """

    def __init__(
        self,
        uart: object,
        drive: "Callable[[int], object] | None",
        timing: "Timing",
        ticks: Ticks,
        name: str = "uart",
    ) -> None:
        self.name = name
        self.hearing = Hearing()
        self._uart = uart
        self._drive = drive
        self._character_us: int = timing.character_us
        self._silence_us = timing.silence_us
        # Cut once: cutting a view allocates, and cutting a buffer copies it as well.
        self._view = memoryview(bytearray(BUFFER_BYTES))
        self._head = self._view[:EXCEPTION_BYTES]
        self._tail = self._view[EXCEPTION_BYTES:]
        self._filled = 0
        self._state = _IDLE
        self._request = b""
        self._timeout_us = 0
        self._gap_us = 0
        self._begun = Stopwatch(ticks)
        self._quiet = Stopwatch(ticks)
        self._sent = Stopwatch(ticks)
        self._heard = Stopwatch(ticks)
        self._late_us = 0  # rest after the last request before another may go out
        self._is_trusted = True
        self._was_heard = False
        self._shown = 0  # bytes that had come at the last look
        self._skip = 0
        self._expected = 0  # bytes of the reply, as far as is known
        self._reply: bytes | memoryview = b""

    @property
    def is_busy(self) -> bool:
        """True while `poll` has something to wait for."""
        return self._state != _IDLE

    def rest_ms(self) -> int:
        """How long there will be nothing for `poll`: what has come is no frame yet. 0 for now."""
        if self._state != _HEARING or self._heard.elapsed_us() >= self._limit_us():
            return 0
        come = self._filled + self._uart.any()  # type: ignore[attr-defined]
        if self._filled >= EXCEPTION_BYTES:
            missing = self._expected - come
        elif come:
            missing = EXCEPTION_BYTES - come
        else:
            # What is long shows while it comes: a look now and then is early enough.
            missing = 1 + self._expected // LOOKS
        return missing * self._character_us // 1000 + 1 if missing > 0 else 0

    def start(self, request: bytes, timeout_ms: int, gap_ms: int = 0) -> None:
        self._request = request
        self._timeout_us = timeout_ms * 1000
        self._gap_us = gap_ms * 1000
        self._begun.restart()
        self.is_checked = self._was_heard = False
        self._filled = 0
        self._state = _RESTING

    def poll(self) -> "bytes | memoryview | None":
        try:
            if self._state == _RESTING:
                self._rest()
                return None
            if self._state == _HEARING:
                return self._hear()
            return self._trail() if self._state == _TRAILING else None
        except OSError as error:
            self._end(b"")
            raise BusError("bus.port", port=self.name, reason="errno " + str(error.args[0]))

    def _rest(self) -> None:
        """Send once the line has been quiet long enough; what arrives meanwhile is dropped."""
        if self._uart.any():  # type: ignore[attr-defined]
            self._drop()
            return
        # Who talks unasked must have stopped for longer than the driver holds bytes back.
        rest_us = max(PAUSE_US if self._was_heard else self._silence_us, self._gap_us)
        if self._quiet.elapsed_us() < rest_us:
            return
        if not self._is_trusted and self._sent.elapsed_us() < self._late_us:
            return
        self._is_trusted = True
        if self._was_heard:
            from edge.core.bus.heard import name_heard

            self.hearing.note(name_heard(self.hearing, bytes(self._view[: self._filled])))
        self._send()

    def _drop(self) -> None:
        """Keep what nobody asked for, to name it; give up on a line that never rests."""
        if self._filled == BUFFER_BYTES:
            self._filled = 0
        self._take(BUFFER_BYTES)
        self._quiet.restart()
        self._was_heard = True
        if self._begun.elapsed_us() > NOISE_LIMIT_US:
            heard = bytes(self._view[max(0, self._filled - 8) : self._filled])
            self._end(b"")
            raise BusError("bus.noise", station=self._request[0], frame_hex=heard.hex())

    def _send(self) -> None:
        request = self._request
        self._filled = self._shown = self._skip = 0
        self._expected = read_reply_bytes(request)
        if self._drive is None:
            self._uart.write(request)  # type: ignore[attr-defined]
        else:
            self._drive(1)
            try:
                self._uart.write(request)  # type: ignore[attr-defined]
                self._uart.flush()  # type: ignore[attr-defined]
            finally:
                self._drive(0)
        self._sent.restart()
        self._heard.restart()
        self._late_us = LATE_TIMEOUTS * self._timeout_us + self._unsent_us()
        self._state = _HEARING

    def _unsent_us(self) -> int:
        """How long the request is still on the wire after `write` returned."""
        return len(self._request) * self._character_us if self._drive is None else 0

    def _take(self, count: int) -> None:
        """Move up to `count` bytes that have arrived into the buffer."""
        if self._filled == 0 and count == EXCEPTION_BYTES:
            view = self._head
        elif self._filled == EXCEPTION_BYTES:
            view = self._tail
        else:
            view = self._view[self._filled :]
        got = self._uart.readinto(view, min(count, len(view)))  # type: ignore[attr-defined]
        self._filled += got or 0

    def _hear(self) -> "bytes | memoryview | None":
        """Take the frame once it is there; its length is known from its second byte on."""
        waiting = self._uart.any()  # type: ignore[attr-defined]
        if self._skip and waiting:
            waiting -= self._skip_echo(waiting)
        if self._filled + waiting > self._shown:
            self._note_growth(waiting)
        if not self._filled and waiting >= EXCEPTION_BYTES:
            self._take(EXCEPTION_BYTES)
            waiting = self._uart.any()  # type: ignore[attr-defined]
        if self._filled >= EXCEPTION_BYTES:
            if self._view[1] & 0x80:
                self._expected = EXCEPTION_BYTES
            if self._filled + waiting >= self._expected:
                self._take(self._expected - self._filled)
                return self._whole()
        if self._heard.elapsed_us() >= self._limit_us():
            if self._shown:
                self._take(BUFFER_BYTES)
            self._fail("bus.short" if self._shown else "bus.timeout")
        return None

    def _note_growth(self, waiting: int) -> None:
        """More has come; the first of it tells how long the station took."""
        if not self._shown:
            passed_us = self._sent.elapsed_us() - self._unsent_us()
            self.latency_us = max(0, passed_us - waiting * self._character_us)
        self._shown = self._filled + waiting
        self._heard.restart()

    def _limit_us(self) -> int:
        """When it takes too long; a frame shows once the FIFO is full or the line pauses."""
        coming_us: int = min(self._expected - self._shown, FIFO_BYTES) * self._character_us
        if self._shown:
            return coming_us + PAUSE_US
        return self._unsent_us() + self._timeout_us + coming_us + DRIVER_US

    def _whole(self) -> "bytes | memoryview | None":
        """The frame is there; one that is none may be an echo, or lie behind stray bytes."""
        frame = self._view[: self._filled]
        if not crc16(frame):
            self.is_checked = True
            return self._end(frame)
        request, reply = self._request, bytes(frame)
        if reply[: len(request)] == request[: len(reply)]:
            self._begin_past_echo(reply)
            return None
        if request[1] not in READS:
            return self._end(reply)
        self._state = _TRAILING
        self._heard.restart()
        return None

    def _begin_past_echo(self, heard: bytes) -> None:
        """The adapter returns what we send: drop that and hear on for the reply."""
        request = self._request
        echo_hex = heard[: len(request)].hex()
        self.hearing.note(BusError("bus.echo", station=request[0], frame_hex=echo_hex))
        rest = heard[len(request) :]
        self._view[: len(rest)] = rest
        self._filled = self._shown = len(rest)
        self._skip = max(0, len(request) - len(heard))
        self._heard.restart()

    def _skip_echo(self, waiting: int) -> int:
        """Drop what is left of an echo; return how many bytes went."""
        count = min(waiting, self._skip)
        self._uart.read(count)  # type: ignore[attr-defined]
        self._skip -= count
        return count

    def _trail(self) -> "bytes | memoryview | None":
        """Hear out what began with stray bytes, as a driver that comes on early makes them."""
        if self._uart.any() and self._filled < BUFFER_BYTES:  # type: ignore[attr-defined]
            self._take(BUFFER_BYTES)
            self._heard.restart()
        elif self._heard.elapsed_us() >= max(self._silence_us, DRIVER_US):
            from edge.core.bus.heard import find_reply

            heard = bytes(self._view[: self._filled])
            # Without a whole reply behind them the caller sees the wrong CRC.
            first = heard[: read_reply_bytes(self._request)]
            return self._end(find_reply(self._request, heard) or first)
        return None

    def _fail(self, code: str) -> None:
        request, heard = self._request, bytes(self._view[: self._filled])
        self._end(b"")
        if code == "bus.timeout":
            timeout_ms = self._timeout_us // 1000
            raise BusError(code, station=request[0], timeout_ms=timeout_ms)
        raise BusError(code, station=request[0], frame_hex=heard.hex())

    def _end(self, reply: "bytes | memoryview") -> "bytes | memoryview":
        self.hearing.asked(self._request, not reply)
        self._reply = reply
        self._quiet.restart()
        self._state = _IDLE
        if not reply:
            self._is_trusted = False
        return reply

    def distrust(self) -> None:
        self._is_trusted = False
        from edge.core.bus.heard import note_distrusted

        note_distrusted(self.hearing, bytes(self._reply))

    def findings(self) -> "Sequence[BusError]":
        return self.hearing.taken()

    def close(self) -> None:
        self._state = _IDLE
        self._uart.deinit()  # type: ignore[attr-defined]
