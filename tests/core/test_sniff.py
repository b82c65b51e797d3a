"""Listening: lumps of bytes to frames, directions and what they say; labels; traces."""

from edge.core.errors import TallyError
from edge.core.field.labels import format_label, parse_label
from edge.core.field.sniff import Splitter, decode_frame, find_frame, is_whole
from edge.core.field.trace import Frame, Recorder, encode_head, encode_row

# From a vendor's manual: 6 input registers of station 1, three floats.
REQUEST = bytes.fromhex("0104000100 0621c8".replace(" ", ""))
REPLY = bytes.fromhex("01040c436b5ab442dc672042480c63af7c")
# Printed examples of functions 6 and 16 (station 17).
WRITE = bytes.fromhex("110600010003 9a9b".replace(" ", ""))
WRITE_MANY = bytes.fromhex("11100001000204000a0102c6f0")
WRITTEN_MANY = bytes.fromhex("1110000100021298")
REFUSED = bytes.fromhex("0a8102b053")  # station 10 refuses function 1, from a printed example

CHARACTER_US, SILENCE_US = 1042, 3647


def heard(lumps):
    """Frames of (gap before in us, bytes), the rest included."""
    splitter = Splitter(CHARACTER_US, SILENCE_US)
    now_us, frames = 1_000_000, []
    for gap_us, data in lumps:
        now_us += gap_us + len(data) * CHARACTER_US
        frames += splitter.feed(now_us, data)
    return frames + splitter.rest(now_us + 10 * SILENCE_US)


def test_the_printed_frames_are_whole():
    for frame in (REQUEST, REPLY, WRITE, WRITE_MANY, WRITTEN_MANY, REFUSED):
        assert is_whole(frame), frame.hex()
    assert not is_whole(REQUEST[:-1] + b"\x00")


def test_a_request_and_its_reply_in_one_lump_are_told_apart():
    frames = heard([(0, REQUEST + REPLY)])
    assert [(f.direction, f.data) for f in frames] == [("request", REQUEST), ("reply", REPLY)]
    assert all(f.is_whole for f in frames)


def test_frames_in_crumbs_are_put_together():
    crumbs = [(0, bytes((byte,))) for byte in REQUEST] + [(5000, REPLY[:3]), (0, REPLY[3:])]
    frames = heard(crumbs)
    assert [f.data for f in frames] == [REQUEST, REPLY]
    said = decode_frame(frames[1], frames[0])
    assert said.turnaround_us == 5000
    assert (said.station, said.function, said.address, said.count) == (1, 4, 1, 6)
    assert said.words == (0x436B, 0x5AB4, 0x42DC, 0x6720, 0x4248, 0x0C63)


def test_noise_before_a_frame_is_a_frame_of_its_own():
    frames = heard([(0, b"\x00\xff" + REQUEST), (20_000, REPLY)])
    assert [(f.data, f.is_whole) for f in frames] == [
        (b"\x00\xff", False),
        (REQUEST, True),
        (REPLY, True),
    ]


def test_a_damaged_reply_ends_with_the_silence():
    broken = REPLY[:-1] + b"\x00"
    frames = heard([(0, REQUEST), (5000, broken), (20_000, REQUEST), (5000, REPLY)])
    assert [f.is_whole for f in frames] == [True, False, True, True]
    assert frames[1].direction == "reply" and frames[1].data == broken


def test_a_confirmed_write_is_a_reply():
    frames = heard([(0, WRITE), (5000, WRITE), (20_000, WRITE_MANY), (5000, WRITTEN_MANY)])
    assert [f.direction for f in frames] == ["request", "reply", "request", "reply"]
    assert decode_frame(frames[0]).words == (3,)
    assert decode_frame(frames[2]).words == (10, 258)
    assert decode_frame(frames[3], frames[2]).count == 2


def test_an_exception_says_its_number():
    frames = heard([(0, REFUSED)])
    assert (frames[0].direction, decode_frame(frames[0]).exception) == ("reply", 2)


def test_find_frame_needs_all_its_bytes():
    assert find_frame(REPLY[:-1], 0) is None
    assert find_frame(b"xx" + REPLY, 2) == (len(REPLY), "reply")
    assert find_frame(b"", 0) is None


def test_endless_noise_is_given_up():
    splitter = Splitter(CHARACTER_US, SILENCE_US)
    frames = []
    for turn in range(20):
        frames += splitter.feed(turn * 50 * CHARACTER_US, b"\x55" * 50)
    assert frames and not any(f.is_whole for f in frames)
    assert max([len(f.data) for f in frames]) < 600


def test_a_trace_has_a_head_and_a_line_a_frame():
    assert encode_head(9600, "8E1") == '{"trace":1,"baud":9600,"format":"8E1"}'
    row = encode_row(Frame(1500, 9000, "request", b"\x01\x83", True), 1000)
    assert row == '{"t_us":500,"dir":"request","hex":"0183"}'


def test_a_recorder_keeps_the_newest():
    recorder = Recorder(3)
    for number in range(5):
        asked = Frame(number * 1000, number * 1000 + 1, "request", bytes((number,)), True)
        recorder.exchange(asked, None)
    assert [frame.data[0] for frame in recorder.frames()] == [2, 3, 4]
    assert recorder.dropped == 2
    assert recorder.rows()[0] == '{"t_us":0,"dir":"request","hex":"02"}'
    assert recorder.rows()[2][:12] == '{"t_us":2000'


def test_a_recorder_takes_exchanges():
    recorder = Recorder()
    asked = Frame(0, 1, "request", REQUEST, True)
    recorder.exchange(asked, Frame(5, 9, "reply", REPLY, True))
    assert [frame.direction for frame in recorder.frames()] == ["request", "reply"]


def test_labels_and_wire_addresses():
    for label, function, address in (
        ("40001", 3, 0),
        ("30013", 4, 12),
        ("49999", 3, 9998),
        ("410000", 3, 9999),
        ("465536", 3, 65535),
        ("300001", 4, 0),
    ):
        assert parse_label(label) == (function, address)
        shown = format_label(function, address)
        assert parse_label(shown) == (function, address)
    assert format_label(3, 0) == "40001" and format_label(4, 9999) == "310000"


def test_what_is_no_label_is_refused():
    for label in ("1", "40000", "20001", "465537", "4000a", "", "4000001"):
        try:
            parse_label(label)
        except TallyError as error:
            assert error.code == "data.range"
        else:
            raise AssertionError(label)
