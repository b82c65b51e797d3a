"""Stand-ins for modules of MicroPython on an ESP32: ticks that wrap, a UART, flash, NVS.

They keep the rules of the real ones that a port could break: ticks wrap at 2**30, a UART gives
bytes when they have arrived, programming flash only clears bits and the power may fail in it.
"""

from collections.abc import Callable

WRAP = 1 << 30


class VirtualTicks:
    """Time as the test says, in microseconds; `ms`, `us` and `diff` are MicroPython's."""

    def __init__(self, start_us: int = 0) -> None:
        self.now_us = start_us

    def ms(self) -> int:
        return self.now_us // 1000 % WRAP

    def us(self) -> int:
        return self.now_us % WRAP

    @staticmethod
    def diff(later: int, earlier: int) -> int:
        return (later - earlier + WRAP // 2) % WRAP - WRAP // 2


#: What a line answers to a frame: (microseconds after its last bit, bytes), ...
Answer = Callable[[bytes], list[tuple[int, bytes]]]


class VirtualUart:
    """A `machine.UART` on a line in virtual time; `answer` plays the stations.

    sent: (time of the first bit, frame) of each write. driven: levels of the driver, with times.
    """

    def __init__(self, ticks: VirtualTicks, character_us: int, answer: Answer) -> None:
        self.ticks, self.character_us, self.answer = ticks, character_us, answer
        self.sent: list[tuple[int, bytes]] = []
        self.driven: list[tuple[int, int]] = []
        self.failing = False
        self._coming: list[tuple[int, int]] = []  # (time, byte)
        self._sent_until_us = 0

    def drive(self, level: int) -> None:
        self.driven.append((self.ticks.now_us, level))

    def babble(self, after_us: int, data: bytes) -> None:
        """Bytes that come by themselves, the first one whole after `after_us`."""
        for at, byte in enumerate(data):
            self._coming.append((self.ticks.now_us + after_us + at * self.character_us, byte))
        self._coming.sort(key=lambda item: item[0])

    def _arrived(self) -> int:
        return sum(at_us <= self.ticks.now_us for at_us, _ in self._coming)

    def ends_us(self) -> int:
        """When the last byte that is coming is there."""
        return self._coming[-1][0] if self._coming else 0

    def any(self) -> int:
        if self.failing:
            raise OSError(5)
        return self._arrived()

    def write(self, frame: bytes) -> int:
        self.sent.append((self.ticks.now_us, bytes(frame)))
        self._sent_until_us = self.ticks.now_us + len(frame) * self.character_us
        for after_us, data in self.answer(bytes(frame)):
            spent_us = self._sent_until_us - self.ticks.now_us
            self.babble(spent_us + after_us + self.character_us, data)
        return len(frame)

    def flush(self) -> None:
        self.ticks.now_us = max(self.ticks.now_us, self._sent_until_us)

    def readinto(self, buffer: memoryview, count: int) -> int | None:
        count = min(count, len(buffer), self._arrived())
        for at in range(count):
            buffer[at] = self._coming.pop(0)[1]
        return count or None

    def read(self, count: int) -> bytes | None:
        taken = bytearray(count)
        got = self.readinto(memoryview(taken), count)
        return bytes(taken[:got]) if got else None

    def deinit(self) -> None:
        pass
