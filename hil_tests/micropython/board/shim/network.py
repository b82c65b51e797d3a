# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""Wi-Fi that is there or is not, as the test says."""

import _host

STA_IF = 0
AP_IF = 1
STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201


class WLAN:
    IF_STA = STA_IF
    IF_AP = AP_IF
    PM_NONE = 0
    PM_PERFORMANCE = 1

    def __init__(self, interface=STA_IF):
        self._is_active = False
        self._wants = False

    def active(self, wanted=None):
        if wanted is None:
            return self._is_active
        self._is_active = bool(wanted)

    def connect(self, ssid=None, key=None, **options):
        if not self._is_active:
            raise OSError("Wifi Not Started")
        self._wants = True

    def disconnect(self):
        self._wants = False

    def isconnected(self):
        return self._is_active and self._wants and bool(_host.net_up())

    def status(self, what=None):
        if what == "rssi":
            return -61
        if self.isconnected():
            return STAT_GOT_IP
        return STAT_NO_AP_FOUND if self._wants else STAT_IDLE

    def config(self, *names, **values):
        return b"\x24\xdc\xc3\xaa\xbb\xcc" if names == ("mac",) else None

    def ifconfig(self, values=None):
        return ("10.0.0.2", "255.255.255.0", "10.0.0.1", "10.0.0.1")

    ipconfig = config


def hostname(name=None):
    return name or "carbontally"


def country(code=None):
    return code or "CN"
