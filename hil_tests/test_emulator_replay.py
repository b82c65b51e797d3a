"""Replaying a trace: the same requests get the same answers, as late as they were."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.app.trace import Heard, TraceHead, parse_trace, read_trace
from edge.core.errors import ConfigError
from edge.core.errors.table import describe, exit_status
from edge.core.field.trace import REPLY, REQUEST, Frame, encode_head, encode_row
from hil_tests.emulator.frame import encode_exception, encode_reply
from hil_tests.emulator.ledger import read_replies, read_run, read_unanswered
from hil_tests.emulator.replay import Replay
from hil_tests.emulator.timing import plan_timing
from hil_tests.ptys import TtyMaster, read_request

ASK = read_request(1, 4, 0, 2)
MORE = read_request(1, 4, 2, 1)
SILENT = read_request(9, 3, 0, 1)
FIRST = encode_reply(1, 4, b"\x43\x66\x33\x34")
SECOND = encode_reply(1, 4, b"\x43\x66\x33\x35")
DAMAGED = SECOND[:-1] + b"\x00"
REFUSED = encode_exception(1, 4, 2)
HEAD = TraceHead(9600, "8E1")
TRACE = [
    Heard(0, REPLY, b"\x55"),
    Heard(10_000, REQUEST, ASK),
    Heard(40_000, REPLY, FIRST),
    Heard(200_000, REQUEST, SILENT),
    Heard(500_000, REQUEST, ASK),
    Heard(700_000, REPLY, DAMAGED),
    Heard(800_000, REQUEST, MORE),
    Heard(820_000, REPLY, REFUSED),
    Heard(850_000, REPLY, b"\xff\xff"),
]


def encode_heard(heard: Heard) -> str:
    return encode_row(Frame(heard.t_us, heard.t_us, heard.direction, heard.data, True))


def text_of(head: TraceHead | None, frames: list[Heard]) -> str:
    lines = [] if head is None else [encode_head(*head)]
    return "\n".join([*lines, *map(encode_heard, frames)]) + "\n"


@contextmanager
def replaying(directory: Path, **options: Any) -> Iterator[tuple[Replay, TtyMaster]]:
    path = directory / "bus.trace"
    path.write_text(text_of(HEAD, TRACE))
    ledger = directory / "ledger.db"
    with (
        Replay(path, ledger_path=ledger, **options) as replay,
        TtyMaster(replay.ports["replay"]) as master,
    ):
        yield replay, master


def timed(master: TtyMaster, request: bytes, length: int) -> tuple[float, bytes]:
    begin_s = time.monotonic()
    reply = master.ask(request, length)
    return time.monotonic() - begin_s, reply


def test_each_request_gets_its_replies_in_turn(tmp_path: Path) -> None:
    with replaying(tmp_path) as (replay, master):
        assert master.ask(ASK, 9) == FIRST
        assert master.ask(ASK, 9) == DAMAGED
        assert master.ask(ASK, 9) == FIRST
        assert master.ask(MORE, 7) == REFUSED + b"\xff\xff"
        assert master.ask(SILENT, 1, within_s=0.1) == b""
        assert master.ask(read_request(2, 4, 0, 2), 1, within_s=0.1) == b""
        summary = replay.summary()["replay"]
    assert summary["unanswered"] == {"no_record": 1, "silent": 1}
    assert summary["stations"] == {"1": {"clean": 3, "crc": 2}}
    rows = read_replies(tmp_path / "ledger.db", "replay", 1)
    seen = [(row.address, row.count, row.registers, row.exception, row.fault) for row in rows]
    assert seen == [
        (0, 2, FIRST[3:-2], None, None),
        (0, 2, None, None, "crc"),
        (0, 2, FIRST[3:-2], None, None),
        (2, 1, None, 2, None),
        (2, 1, None, None, "crc"),
    ]
    reasons = [(row.reason, row.frame) for row in read_unanswered(tmp_path / "ledger.db")]
    assert reasons == [("silent", SILENT), ("no_record", read_request(2, 4, 0, 2))]
    assert read_run(tmp_path / "ledger.db")["replay"] == str(tmp_path / "bus.trace")


def test_a_reply_is_as_late_as_it_was(tmp_path: Path) -> None:
    # The first character of a reply began 30 and 200 ms after that of its request.
    reply_s = 9 * plan_timing(*HEAD).character_s
    with replaying(tmp_path) as (_, master):
        seen_s = [timed(master, ASK, 9)[0] - reply_s for _ in range(6)]
    assert all(late_s >= 0.03 for late_s in seen_s[::2])
    assert all(late_s >= 0.2 for late_s in seen_s[1::2])
    # Above that is what a busy machine adds.
    assert min(seen_s[::2]) < 0.06
    assert min(seen_s[1::2]) < 0.23


def test_a_replay_without_pacing_answers_at_once(tmp_path: Path) -> None:
    with replaying(tmp_path, is_paced=False) as (_, master):
        begin_s = time.monotonic()
        for turn in range(20):
            assert master.ask(ASK, 9) == (DAMAGED if turn % 2 else FIRST)
        # With its pace: 2.3 s.
        assert time.monotonic() - begin_s < 1
    assert read_run(tmp_path / "ledger.db")["pacing"] == "none"


def test_another_baud_rate_keeps_what_the_station_took(tmp_path: Path) -> None:
    with replaying(tmp_path, baud=115_200) as (_, master):
        fast_s = min(timed(master, ASK, 9)[0] for _ in range(6))
    recorded = plan_timing(*HEAD)
    thought_s = 0.03 - 8 * recorded.character_s - recorded.silence_s
    assert thought_s < fast_s < 0.03


def test_a_trace_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for head, expected in ((HEAD, HEAD), (None, TraceHead(9600, "8N1"))):
        path.write_text(text_of(head, TRACE) + "\n")
        assert read_trace(path) == (expected, TRACE)
    extra = encode_heard(TRACE[1]).replace("}", ', "wall_ms": 5}')
    assert parse_trace(extra, "t")[1] == [TRACE[1]]


GOOD_LINE = encode_heard(TRACE[2])


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("{", "line 1", "JSON object"),
        ("[]", "line 1", "JSON object"),
        (f"{GOOD_LINE}\n\n{encode_heard(TRACE[1])}", "line 3", "not below"),
        ('{"t_us": 1.5, "dir": "reply", "hex": "00"}', "line 1", "whole number"),
        ('{"t_us": true, "dir": "reply", "hex": "00"}', "line 1", "whole number"),
        ('{"t_us": -1, "dir": "reply", "hex": "00"}', "line 1", "whole number"),
        ('{"t_us": 1, "dir": "answer", "hex": "00"}', "line 1", "request"),
        ('{"t_us": 1, "dir": "reply", "hex": "0"}', "line 1", "hexadecimal"),
        ('{"t_us": 1, "dir": "reply", "hex": ""}', "line 1", "hexadecimal"),
        ('{"t_us": 1, "dir": "reply"}', "line 1", "hexadecimal"),
        ('{"trace": 2}', "line 1", "version 1"),
        ('{"trace": 1, "baud": 9}', "line 1", "300"),
        ('{"trace": 1, "format": "7N1"}', "line 1", "8N1"),
    ],
)
def test_a_bad_line_is_named(text: str, line: str, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_trace(text, "some.trace")
    assert caught.value.fields["key"] == line
    sentence, _ = describe(caught.value)
    assert "some.trace" in sentence
    assert words in sentence
    assert exit_status(caught.value.code) == 78


def test_traces_that_cannot_be_played(tmp_path: Path) -> None:
    path = tmp_path / "t"
    for text in ("", encode_heard(TRACE[0])):
        path.write_text(text)
        with pytest.raises(ConfigError) as caught:
            Replay(path, link_dir=tmp_path / "dev")
        assert caught.value.code == "config.value"
    with pytest.raises(ConfigError) as caught:
        Replay(tmp_path / "absent")
    assert caught.value.code == "config.file"
    assert not (tmp_path / "dev").exists()
