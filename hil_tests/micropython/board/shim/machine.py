# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""The machine module of the ESP32, as far as a gateway uses it."""

import io
from binascii import hexlify, unhexlify

import _host
from uctypes import addressof

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
_POLL = 3
_CLOSE = 4


def _check(result):
    if result < 0:
        raise OSError(-result)
    return result


def reset():
    _host.reset("reset")


def soft_reset():
    _host.reset("soft_reset")


def reset_cause():
    return _host.reset_cause()


def unique_id():
    return unhexlify(_host.unique_id())


def freq(hz=None):
    return 160000000


def idle():
    _host.sleep_us(1000)


def disable_irq():
    return 0


def enable_irq(state):
    pass


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_UP = 2
    PULL_DOWN = 1

    def __init__(self, id, mode=-1, pull=-1, value=None, drive=None, hold=None):
        self._id = id
        if value is not None:
            self.value(value)

    def init(self, mode=-1, pull=-1, value=None, drive=None, hold=None):
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return _host.pin_get(self._id)
        _host.pin_set(self._id, 1 if level else 0)

    __call__ = value

    def on(self):
        _host.pin_set(self._id, 1)

    def off(self):
        _host.pin_set(self._id, 0)


class WDT:
    def __init__(self, id=0, timeout=5000):
        _host.watchdog(timeout)

    def feed(self):
        _host.feed()


class RTC:
    """The clock and the memory that survive a reset, not a power cut."""

    def datetime(self, fields=None):
        import time

        if fields is None:
            year, month, day, hour, minute, second, weekday, _ = time.gmtime()
            return year, month, day, weekday, hour, minute, second, 0
        year, month, day, _, hour, minute, second, part_us = fields
        seconds = time.mktime((year, month, day, hour, minute, second, 0, 0))
        _host.set_wall(seconds + 946684800, part_us // 1000)

    init = datetime

    def memory(self, data=None):
        if data is None:
            return unhexlify(_host.rtc_memory())
        _host.set_rtc_memory(hexlify(data).decode())


class UART(io.IOBase):
    INV_TX = 32
    INV_RX = 4

    def __init__(self, id, baudrate=115200, **options):
        self._id = id
        self._is_open = False
        self._baud = baudrate
        self._bits = 8
        self._parity = None
        self._stop = 1
        self._rxbuf = 256
        self._timeout = 0
        self._timeout_char = 0
        self.init(baudrate, **options)

    def init(
        self, baudrate=None, bits=None, parity=-1, stop=None, tx=None, rx=None, rts=None,
        cts=None, txbuf=None, rxbuf=None, timeout=None, timeout_char=None, invert=None, flow=None,
    ):  # fmt: skip
        self._baud = baudrate or self._baud
        self._bits = bits or self._bits
        self._parity = self._parity if parity == -1 else parity
        self._stop = stop or self._stop
        self._rxbuf = max(rxbuf or self._rxbuf, 129)
        self._timeout = self._timeout if timeout is None else timeout
        # The driver's own floor: two characters of 13 bits.
        floor_ms = 2 + 13000 * 2 // self._baud
        self._timeout_char = max(timeout_char or self._timeout_char, floor_ms)
        self.deinit()
        bits = 1 + self._bits + (self._parity is not None) + self._stop
        _check(_host.uart_open(self._id, self._baud, bits, self._rxbuf))
        self._is_open = True

    def deinit(self):
        if self._is_open:
            _host.uart_close(self._id)
            self._is_open = False

    def any(self):
        return _check(_host.uart_any(self._id))

    def write(self, data):
        return _check(_host.uart_write(self._id, addressof(bytes(data)), len(data)))

    def read(self, count=-1):
        buffer = bytearray(self._rxbuf if count < 0 else count)
        taken = self.readinto(buffer)
        return None if taken is None else bytes(memoryview(buffer)[:taken])

    def readinto(self, buffer, count=-1):
        wanted = len(buffer) if count < 0 else min(count, len(buffer))
        view = memoryview(buffer)
        done = 0
        wait_ms = self._timeout
        while done < wanted:
            if not self.any() and not (wait_ms and _check(_host.uart_wait(self._id, wait_ms))):
                break
            done += _check(_host.uart_take(self._id, addressof(buffer) + done, wanted - done))
            wait_ms = self._timeout_char
        del view
        return done or None

    def txdone(self):
        return _host.uart_busy_us(self._id) == 0

    def flush(self):
        _host.sleep_us(_host.uart_busy_us(self._id))

    def ioctl(self, request, argument):
        if request == _POLL:
            return (1 if self.any() else 0) & argument | 4 & argument
        if request == _CLOSE:
            self.deinit()
        return 0
