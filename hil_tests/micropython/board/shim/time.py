# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""The time module of the ESP32: epoch 2000, integers, and waits that wait."""

from utime import *

import _host
import utime

_EPOCH_S = 946684800

ticks_ms = _host.ticks_ms
ticks_us = _host.ticks_us
ticks_cpu = _host.ticks_us


sleep_us = _host.sleep_us
sleep_ms = _host.sleep_ms


def sleep(seconds):
    _host.sleep_ms(int(seconds * 1000))


def time():
    return _host.wall_s() - _EPOCH_S


def time_ns():
    return time() * 1000000000 + _host.wall_part_ms() * 1000000


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else seconds) + _EPOCH_S)[:8]


localtime = gmtime


def mktime(fields):
    return int(utime.mktime(fields)) - _EPOCH_S
