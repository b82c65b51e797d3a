"""Data flags of HJ 212-2017 Table 8: what an instrument's value stands for.

N normal, F instrument stopped, M maintenance, S entered by hand, D fault, C calibration, T over
range, B communication lost. Only N is a measurement. OFF is ours: the source itself stands still,
so that there is nothing to measure and nothing is missing.
"""

from edge.core.numbers.quality import Quality

NORMAL = "N"
FAULT = "D"
OFF = "O"

#: The order of counts; Table 8's letters, then ours.
ORDER = "NFMSDCTBO"

#: Which one stands when several apply, the strongest first. A declared state (off, stopped,
#: maintenance, calibration) explains what is seen besides it; the standard names no order.
PRECEDENCE = "OFMCBDTSN"

#: At least this share of normal sub-values makes a minute, an hour or a day normal (Table 8).
NORMAL_PERCENT = 75

#: Analyzer state of HJ 212-2017 code i12001: run, maintenance, fault, calibration.
_OF_STATE = "NMDC"


def strongest(found: str) -> str:
    """The flag that stands for several at one time; "N" for none. Unknown letters are faults."""
    best = len(PRECEDENCE) - 1
    for flag in found:
        at = PRECEDENCE.find(flag)
        if at < 0:
            at = PRECEDENCE.find(FAULT)
        best = min(best, at)
    return PRECEDENCE[best]


def position(flag: str) -> int:
    """Where a flag is counted; an unknown letter counts as a fault."""
    at = ORDER.find(flag)
    return at if at >= 0 else ORDER.find(FAULT)


def summary(normal: int, present: int) -> str:
    """The flag of a period: N if at least 75 % of its sub-values are normal, else D."""
    return NORMAL if present > 0 and normal * 100 >= present * NORMAL_PERCENT else FAULT


def of_state(state: int | None) -> str:
    """The flag of an analyzer state as code i12001 counts them; None: nothing was read."""
    if state is None:
        return "B"
    return _OF_STATE[state] if 0 <= state < len(_OF_STATE) else FAULT


def of_quality(quality: int) -> str:
    """The flag of a reading by its quality code."""
    if quality == Quality.GOOD:
        return NORMAL
    if quality in (Quality.TIMEOUT, Quality.CORRUPT, Quality.PORT):
        return "B"
    return "T" if quality == Quality.RANGE else FAULT


def declared(windows: list[tuple[int, int, str]], wall_ms: int) -> str:
    """The strongest flag of the windows that contain a time; "N" outside all of them.

    windows: (first ms, ms after the last, flag), as an operator declares maintenance or
    calibration.
    """
    found = ""
    for start_ms, end_ms, flag in windows:
        if start_ms <= wall_ms < end_ms:
            found += flag
    return strongest(found)
