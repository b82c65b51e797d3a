"""SNTP (RFC 4330) a step at a time: one packet asks, one answers, no call waits.

An answer counts when it repeats the random time that was asked with, comes from a server that is
itself synchronized, and took less than a second: its time is then right to half of that.
"""

from edge.core.journal.clock import FLOOR_MS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PACKET_BYTES = 48
PORT = 123

#: Asked again so long after an answer, and after none: doubling up to an hour.
REFRESH_MS = 3_600_000
RETRY_MS = 4_000
ANSWER_MS = 1_000

#: 2068-01-19: so far 31 bits of seconds count from 2000, what the board's calendar takes.
LIMIT_MS = 3_094_168_448_000

_CLIENT = 0x23  # version 4, mode 3
_SERVER_MODE = 4
_UNSYNCHRONIZED = 3
_ERA_0_S = 2_208_988_800  # from 1900 to 1970
_ERA_1_S = _ERA_0_S - (1 << 32)  # from 2036-02-07 on


def encode_request(cookie: bytes) -> bytes:
    """A request; cookie: 8 random bytes in the place of our time."""
    return bytes((_CLIENT,)) + bytes(39) + cookie


def decode_answer(data: bytes, cookie: bytes) -> int | None:
    """Unix milliseconds of an answer to `cookie`, None for anything that is none."""
    if len(data) < PACKET_BYTES or data[24:32] != cookie:
        return None
    if data[0] & 7 != _SERVER_MODE or data[0] >> 6 == _UNSYNCHRONIZED:
        return None
    if not 1 <= data[1] <= 15:
        return None
    seconds = int.from_bytes(data[40:44], "big")
    parts = int.from_bytes(data[44:48], "big")
    if not seconds:
        return None
    offset_s = _ERA_0_S if seconds >> 31 else _ERA_1_S
    wall_ms = (seconds - offset_s) * 1000 + (parts * 1000 >> 32)
    return wall_ms if FLOOR_MS <= wall_ms < LIMIT_MS else None


class Sntp:
    """Keeps a clock set. open_socket: () -> a UDP socket that does not block, sent to one server
    with `send` and read with `recv`, each OSError for not now; set_clock: takes Unix ms;
    random: gives 8 bytes.
    """

    def __init__(
        self,
        open_socket: "Callable[[], object]",
        set_clock: "Callable[[int], None]",
        random: "Callable[[], bytes]",
    ) -> None:
        self._open_socket = open_socket
        self._set_clock = set_clock
        self._random = random
        self._socket: object = None
        self._cookie = b""
        self._asked_ms = 0
        self._due_ms = 0
        self._retry_ms = RETRY_MS
        self.answers = 0

    def step(self, now_ms: int) -> None:
        """Ask when it is time, take an answer when there is one."""
        if self._socket is None:
            if now_ms >= self._due_ms:
                self._ask(now_ms)
            return
        try:
            data: bytes = self._socket.recv(PACKET_BYTES)  # type: ignore[attr-defined]
        except OSError:
            data = b""
        took_ms = now_ms - self._asked_ms
        wall_ms = decode_answer(data, self._cookie) if data and took_ms <= ANSWER_MS else None
        if wall_ms is not None:
            self._set_clock(wall_ms + took_ms // 2)
            self.answers += 1
            self._retry_ms = RETRY_MS
            self._close(now_ms + REFRESH_MS)
        elif took_ms > ANSWER_MS:
            self._put_off(now_ms)

    def _ask(self, now_ms: int) -> None:
        self._cookie = self._random()
        self._asked_ms = now_ms
        try:
            self._socket = self._open_socket()
            self._socket.send(encode_request(self._cookie))  # type: ignore[attr-defined]
        except OSError:
            self._put_off(now_ms)

    def _put_off(self, now_ms: int) -> None:
        self._close(now_ms + self._retry_ms)
        self._retry_ms = min(2 * self._retry_ms, REFRESH_MS)

    def _close(self, due_ms: int) -> None:
        self._due_ms = due_ms
        if self._socket is not None:
            self._socket.close()  # type: ignore[attr-defined]
            self._socket = None
