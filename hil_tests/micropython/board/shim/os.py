# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""The os module of the ESP32: what this build has, and what it lacks."""

from uos import *

import _host


def sync():
    pass


def urandom(count):
    return bytes([_host.random() for _ in range(count)])


def uname():
    return ("esp32", "esp32", "1.27.0", "v1.27.0 under test", "Generic ESP32 module with ESP32")
