# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""The esp32 module: partitions over the emulated flash, and NVS."""

import json
from binascii import hexlify, unhexlify

import _host
from uctypes import addressof

_SECTOR = 4096


def _check(result):
    if result < 0:
        raise OSError(-result)
    return result


class Partition:
    BOOT = 0
    RUNNING = 1
    TYPE_APP = 0
    TYPE_DATA = 1

    def __init__(self, id, block_size=_SECTOR):
        table = json.loads(_host.partitions())
        found = [at for at, row in enumerate(table) if row["name"] == id]
        if not found:
            raise OSError(2)
        self._index = found[0]
        self._row = table[self._index]
        self._block = block_size

    @classmethod
    def find(cls, type=TYPE_APP, subtype=0xFF, label=None, block_size=_SECTOR):
        return [
            cls(row["name"], block_size)
            for row in json.loads(_host.partitions())
            if row["type"] == type
            and subtype in (0xFF, row["subtype"])
            and label in (None, row["name"])
        ]

    def info(self):
        row = self._row
        return row["type"], row["subtype"], row["offset"], row["size"], row["name"], False

    def readblocks(self, block, buffer, offset=0):
        at = block * self._block + offset
        _check(_host.flash_read(self._index, at, addressof(buffer), len(buffer)))

    def writeblocks(self, block, buffer, offset=None):
        if offset is None:
            offset = 0
            # The driver erases the sectors that a write of whole blocks begins in.
            for at in range(0, len(buffer), _SECTOR):
                _check(_host.flash_erase(self._index, block * self._block + at, _SECTOR))
        at = block * self._block + offset
        _check(_host.flash_program(self._index, at, addressof(buffer), len(buffer)))

    def ioctl(self, request, argument):
        if request == 4:
            return self._row["size"] // self._block
        if request == 5:
            return self._block
        if request == 6:
            return _check(_host.flash_erase(self._index, argument * self._block, self._block))
        return 0


class NVS:
    """A namespace of the non-volatile storage; what is set lasts once commit() returned."""

    def __init__(self, namespace):
        self._namespace = namespace
        self._fresh = {}

    def _key(self, key):
        if len(key) > 15:
            raise OSError(-4361)  # ESP_ERR_NVS_KEY_TOO_LONG
        return self._namespace + "/" + key

    def _get(self, key, kind):
        name = self._key(key)
        stored = self._fresh[name] if name in self._fresh else _host.nvs_get(name)
        if not stored or stored[0] != kind:
            raise OSError(-4354)  # ESP_ERR_NVS_NOT_FOUND
        return stored[1:]

    def get_i32(self, key):
        return int(self._get(key, "i"))

    def set_i32(self, key, value):
        self._fresh[self._key(key)] = "i" + str(value)

    def get_blob(self, key, buffer):
        data = unhexlify(self._get(key, "b"))
        if len(data) > len(buffer):
            raise OSError(-4364)  # ESP_ERR_NVS_INVALID_LENGTH
        buffer[: len(data)] = data
        return len(data)

    def set_blob(self, key, data):
        self._fresh[self._key(key)] = "b" + hexlify(data).decode()

    def erase_key(self, key):
        name = self._key(key)
        if not (self._fresh.get(name) or _host.nvs_get(name)):
            raise OSError(-4354)
        self._fresh[name] = ""

    def commit(self):
        for name in self._fresh:
            _check(_host.nvs_set(name, self._fresh[name]))
        self._fresh = {}


def mcu_temperature():
    return 42
