"""Why a server refuses a connection, by its code: the driver has only words, in any language."""

import re
import select
import tempfile
import time
from typing import Any

#: The server's answer in a trace of libpq 17 or newer; an older one traces no connecting.
_REFUSED = re.compile(rb'\tErrorResponse\t S "[^"]*" V "[^"]*" C "(\w{5})"')


def ask_refusal(pq: Any, address: str, timeout_s: float) -> str | None:
    """The SQLSTATE that a new connection is refused with, "" if that is not told.

    pq: the driver's module of that name. None when the connection comes about.
    """
    with tempfile.TemporaryFile() as file:
        connection = pq.PGconn.connect_start(address.encode())
        try:
            connection.trace(file.fileno())
            is_open = _connect(pq, connection, time.monotonic() + timeout_s)
        finally:
            connection.untrace()
            connection.finish()
        if is_open:
            return None
        file.seek(0)
        found = _REFUSED.findall(file.read())
    return found[-1].decode() if found else ""


def _connect(pq: Any, connection: Any, end_s: float) -> bool:
    """Go on until the server has answered, True when it took the connection."""
    state = pq.PollingStatus.WRITING
    while state in (pq.PollingStatus.READING, pq.PollingStatus.WRITING):
        left_s = end_s - time.monotonic()
        if left_s <= 0 or connection.status == pq.ConnStatus.BAD:
            return False
        ours = [connection.socket]
        is_reading = state == pq.PollingStatus.READING
        select.select(ours if is_reading else [], [] if is_reading else ours, [], left_s)
        state = connection.connect_poll()
    return bool(state == pq.PollingStatus.OK)
