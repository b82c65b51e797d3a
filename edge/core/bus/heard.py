"""What was heard on a line when something else, or nothing, was expected.

Which request failed and which was answered is remembered by station, so that bytes out of turn
get their name: a late reply, a second device with the same number, another master, noise.
"""

from edge.core.bus.hearing import READS, Hearing
from edge.core.bus.rtu import EXCEPTION_BYTES, crc16, read_reply_bytes
from edge.core.errors import BusError

#: Bytes to show.
_SHOWN_BYTES = 32

#: Length of a read request.
_REQUEST_BYTES = 8


def name_heard(hearing: Hearing, heard: bytes) -> BusError:
    """What bytes are that came when nothing was expected.

    A whole request: another master. A whole reply to something asked a while ago: late when
    that had failed, a second device with the same number when it had been answered.
    """
    code, station = "bus.stray", hearing.last[0]
    for at in range(len(heard) - EXCEPTION_BYTES + 1):
        request = hearing.requests.get(heard[at], b"")
        frame = heard[at : at + read_reply_bytes(request)] if request else b""
        if frame and frame[1] == request[1] and not crc16(frame):
            station = frame[0]
            code = "bus.late" if station in hearing.failed else "bus.two_answers"
            break
        frame = heard[at : at + _REQUEST_BYTES]
        if len(frame) == _REQUEST_BYTES and frame[1] in READS and not crc16(frame):
            code = "bus.foreign_master"
            break
    return BusError(code, station=station, frame_hex=heard[:_SHOWN_BYTES].hex())


def note_distrusted(hearing: Hearing, reply: bytes) -> None:
    """A reply did not answer its request: note whose it was, where that can be told."""
    found = name_heard(hearing, reply)
    other = found.fields["station"] != hearing.last[0] and found.code != "bus.stray"
    if other or found.code == "bus.foreign_master":
        hearing.note(found)


def find_reply(request: bytes, heard: bytes) -> bytes:
    """The whole reply to a read that lies behind stray bytes, b"" when there is none."""
    length = read_reply_bytes(request)
    for at in range(1, len(heard) - length + 1):
        frame = heard[at : at + length]
        if frame[:2] == request[:2] and not crc16(frame):
            return frame
    return b""
