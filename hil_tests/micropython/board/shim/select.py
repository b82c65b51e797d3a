# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""select.poll that sleeps, on whatever answers MP_STREAM_POLL."""

import _host

POLLIN = 1
POLLOUT = 4
POLLERR = 8
POLLHUP = 16
_POLL = 3
_FOR_EVER_MS = 1 << 29


class _Poll:
    def __init__(self):
        self._watched = []

    def register(self, stream, mask=POLLIN | POLLOUT):
        self.unregister(stream)
        self._watched.append((stream, mask))

    def unregister(self, stream):
        self._watched = [item for item in self._watched if item[0] is not stream]

    def modify(self, stream, mask):
        if not any(item[0] is stream for item in self._watched):
            raise OSError(2)
        self.register(stream, mask)

    def _ready(self):
        found = []
        for stream, mask in self._watched:
            bits = stream.ioctl(_POLL, mask) & (mask | POLLERR | POLLHUP)
            if bits:
                found.append((stream, bits))
        return found

    def poll(self, timeout=-1):
        limit_ms = _FOR_EVER_MS if timeout < 0 else timeout
        start_ms = _host.ticks_ms()
        while True:
            seen = _host.events()
            found = self._ready()
            spent_ms = (_host.ticks_ms() - start_ms) & 0x3FFFFFFF
            if found or spent_ms >= limit_ms:
                return found
            _host.rest_ms(limit_ms - spent_ms, seen)

    def ipoll(self, timeout=-1, flags=0):
        return iter(self.poll(timeout))


def poll():
    return _Poll()


def select(readers, writers, broken, timeout=None):
    poller = _Poll()
    for stream in readers:
        poller.register(stream, POLLIN)
    for stream in writers:
        poller.register(stream, POLLOUT)
    found = poller.poll(-1 if timeout is None else int(timeout * 1000))
    can_read = [stream for stream, bits in found if stream in readers]
    can_write = [stream for stream, bits in found if stream in writers and bits & POLLOUT]
    return can_read, can_write, []
