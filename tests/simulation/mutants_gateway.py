"""Bugs in what a gateway sends, accounts and takes for time: the simulation has to find each."""

from typing import Any

import edge.core.sync.ack as ack_module
import edge.core.sync.batch as batch_module
import edge.core.sync.row_columns as row_columns
import edge.core.sync.settling as settling
from edge.app import mending, releasing, replay, sending
from edge.app.recorder import Recorder
from edge.app.uploader import Uploader
from edge.core.carbon.account import Accountant
from edge.core.errors import StoreError
from edge.core.journal.clock import Anchor
from edge.core.journal.record import Kind
from edge.core.numbers import pack
from edge.core.sync.uplink import Uplink as Window
from tests.simulation.mutant import Mutant, Patches


def _nothing(*_: Any, **__: Any) -> None:
    return None


def _release_on_puback(patches: Patches) -> None:
    def release(self: Uploader, payload: bytes, now_ms: int) -> None:
        pass

    made = patches.set(Uploader, "__init__", None)

    def begin(self: Uploader, *args: Any) -> None:
        made(self, *args)

        def published(packet: int) -> None:
            last = self.window.next_seq - 1
            if last > self.store.acked_seq:
                self.window.acknowledged(last, self.store.next_seq - 1, 0)
                self.store.ack(last)

        self.uplink.on_published = published

    patches.set(Uploader, "__init__", begin)
    patches.set(releasing, "release", release)


def _never_rewind(patches: Patches) -> None:
    patches.set(Window, "rewind", _nothing)
    patches.set(settling, "_lose", _nothing)
    patches.set(settling, "_find_holes", _nothing)


def _lower_acks_ignored(patches: Patches) -> None:
    release = patches.set(releasing, "release", None)

    def released(self: Uploader, payload: bytes, now_ms: int) -> None:
        ack = ack_module.decode_ack(payload, self.gateway, self.key)
        if ack.epoch != self.store.epoch or ack.seq >= self.store.acked_seq:
            release(self, payload, now_ms)

    patches.set(releasing, "release", released)


def _never_begin_anew(patches: Patches) -> None:
    patches.set(Window, "deaf_ms", lambda self: None)


def _hash_of_itself(patches: Patches) -> None:
    def cut(uploader: Uploader, first: int, last: int) -> tuple[bytearray, int]:
        rows = uploader.store.read(first, last)
        before = uploader.store.hash_at(first) or b""
        args = (uploader.gateway, uploader.store.epoch, before, rows, uploader.key)
        return batch_module.encode_rows(*args), last

    patches.set(sending, "_cut", cut)


def _skip_to_the_end(patches: Patches) -> None:
    want = patches.set(Window, "want", None)

    def wanted(self: Window, head_seq: int, *more: Any) -> tuple[int, int] | None:
        span = want(self, head_seq, *more)
        if span is not None and span[1] - span[0] > 40:
            self.acked_seq = span[1] - 40
            return span[1] - 39, span[1]
        return span

    patches.set(Window, "want", wanted)


def _deltas_forget_nothing(patches: Patches) -> None:
    def put_deltas(out: bytearray, polls: list[pack.Reader], points: int) -> None:
        last = [0] * points
        pack.put_array(out, points * len(polls))
        for at, reader in enumerate(polls):
            assert at == 0 or reader.count() == points
            for index in range(points):
                value: Any = reader.value()
                pack.put(out, None if value is None else value - last[index])
                last[index] = value or 0

    patches.set(row_columns, "_put_deltas", put_deltas)


def _drop_qualities(patches: Patches) -> None:
    add = patches.set(Recorder, "add", None)

    def added(self: Recorder, kind: int, body: list[Any], now_ms: int) -> None:
        if kind == Kind.POLL:
            body = [body[0], body[1], [], body[3]]
        add(self, kind, body, now_ms)

    patches.set(Recorder, "add", added)


def _no_clock_records(patches: Patches) -> None:
    def keep(self: Recorder, now_ms: int) -> None:
        wall_ms = self.clock.wall_ms()
        is_first = self.anchor.offset_ms is None
        if self.anchor.observe(now_ms, wall_ms, self.clock.quality()) and is_first:
            self.add(Kind.CLOCK, [self.boot, now_ms, wall_ms, 0, "system"], now_ms)

    patches.set(Recorder, "keep_time", keep)


def _wall_time_moves(patches: Patches) -> None:
    def observe(self: Anchor, mono_ms: int, wall_ms: int, quality: int) -> bool:
        moved = self.offset_ms is None
        self.offset_ms, self.quality = wall_ms - mono_ms, quality
        return moved

    patches.set(Anchor, "observe", observe)


def _interval_again(patches: Patches) -> None:
    close = patches.set(Accountant, "close", None)

    def closed(self: Accountant, wall_ms: int) -> list[object] | None:
        if self.start_ms is not None and wall_ms < self.start_ms:
            self.start_ms = wall_ms // self.interval_ms * self.interval_ms
        found: list[object] | None = close(self, wall_ms)
        return found

    patches.set(Accountant, "close", closed)


def _account_anew(patches: Patches) -> None:
    patches.set(replay, "restore", _nothing)


def _waiting_lost(patches: Patches) -> None:
    fail = patches.set(mending, "fail", None)

    def failed(recorder: Recorder, error: StoreError, now_ms: int) -> None:
        fail(recorder, error, now_ms)
        recorder.rows = recorder.rows[:1]

    patches.set(mending, "fail", failed)


MUTANTS = (
    Mutant(
        "release on PUBACK",
        "the gateway releases what the broker has, not what the cloud has committed",
        ("outage", "forgetful", "receiver_away", "broker_restart"),
        12,
        2,
        _release_on_puback,
    ),
    Mutant(
        "never rewind",
        "what was sent and not acked is not sent again",
        ("cuts", "forgetful"),
        12,
        2,
        _never_rewind,
    ),
    Mutant(
        "lower acks ignored",
        "a cloud that went back to an older copy is not given again what it lacks",
        ("receiver_restore",),
        72,
        4,
        _lower_acks_ignored,
    ),
    Mutant(
        "deaf for ever",
        "a session that the broker has forgotten goes on as long as its connection",
        ("deaf",),
        12,
        23,
        _never_begin_anew,
    ),
    Mutant(
        "hash one off",
        "a batch names the hash at its first record, not the one before it",
        ("crash",),
        12,
        5,
        _hash_of_itself,
    ),
    Mutant(
        "skip the backlog",
        "after an outage only the newest records are sent",
        ("outage",),
        24,
        5,
        _skip_to_the_end,
    ),
    Mutant(
        "deltas after nothing",
        "the encoder begins a delta anew where a value was missing",
        ("noisy",),
        12,
        5,
        _deltas_forget_nothing,
    ),
    Mutant(
        "qualities dropped",
        "a poll is recorded without its quality codes",
        ("wrong",),
        12,
        5,
        _drop_qualities,
    ),
    Mutant(
        "no CLOCK record",
        "the anchor moves and no record says so",
        ("clock_step",),
        12,
        7,
        _no_clock_records,
    ),
    Mutant(
        "wall time moves",
        "wall time follows the system clock at every look, unrecorded",
        ("clock_drift", "clock_step"),
        12,
        7,
        _wall_time_moves,
    ),
    Mutant(
        "an interval again",
        "a clock set back closes the same interval a second time",
        ("clock_step",),
        48,
        3,
        _interval_again,
    ),
    Mutant(
        "account anew",
        "a restart does not take the last interval up",
        ("crash",),
        12,
        8,
        _account_anew,
    ),
    Mutant(
        "a failed commit drops",
        "a commit that fails loses the rows that wait behind the first",
        ("disk_error",),
        24,
        15,
        _waiting_lost,
    ),
)
