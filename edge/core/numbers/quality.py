"""Why a value is missing or not to be counted: one small code beside each reading.

A reading without a usable value is None with one of these codes, never a number.
"""


class Quality:
    """Codes 0..15 travel in records; their order is part of the wire format."""

    GOOD = 0
    SENTINEL = 1  # the device says "no value": NaN, infinity, or a reserved pattern
    RANGE = 2  # decoded, but outside what the point or 64 bits can hold
    TIMEOUT = 3  # no reply
    CORRUPT = 4  # a reply with a wrong CRC, broken off, or not ours
    EXCEPTION = 5  # the station answered with a Modbus exception
    BACKWARDS = 6  # a cumulative register went back
    PORT = 7  # the serial port itself failed
    INVALID_STATE = 8  # the instrument says it is not measuring (calibration, maintenance, fault)
    UNCONFIRMED = 9  # odd, and a second read said something else


NAMES = (
    "good",
    "sentinel",
    "range",
    "timeout",
    "corrupt",
    "exception",
    "backwards",
    "port",
    "invalid_state",
    "unconfirmed",
)


def of_error(code: str) -> int:
    """The quality a failed read leaves on every point it should have brought."""
    if code == "bus.timeout":
        return Quality.TIMEOUT
    if code == "bus.port":
        return Quality.PORT
    if code.startswith("device."):
        return Quality.EXCEPTION
    return Quality.CORRUPT
