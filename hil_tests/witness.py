"""What a journal, a cloud and a ledger say of one run, read apart from the code that wrote them.

Records are read by the `msgpack` package, hashes made by hashlib, readings decoded by the
emulator's judge.
"""

import contextlib
import hashlib
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import msgpack

from hil_tests.emulator.faults import INTACT_FAULTS
from hil_tests.emulator.judge import judge_point
from hil_tests.emulator.ledger import ServedReply, read_replies
from hil_tests.emulator.profile import PROFILE_DIR, Profile, read_profile

GOOD, SENTINEL, BACKWARDS = 0, 1, 6

#: Qualities that say what a reply said; all others say that there was none to believe.
_READ = (GOOD, SENTINEL, BACKWARDS)

#: A poll is recorded this long after its replies at most; its clock may be off by the second.
_WITHIN_MS = 3_000
_AHEAD_MS = 60

#: Replies up to here belong to the poll; the next one may begin right after.
_SAME_MS = 5

#: What looks odd is read twice within a poll, so that its points come from two replies, of at
#: most so many in a row.
_LOOKS = 4
_LOOKS_MS = 1_500

#: (function, address, count)
Block = tuple[int, int, int]

#: point name -> (value, quality)
Values = dict[str, tuple[int | None, int]]


class Entry(NamedTuple):
    """One record; the fields of its canonical bytes."""

    kind: int
    seq: int
    boot: int
    mono_ms: int
    wall_ms: int
    clock: int
    body: Any
    raw: bytes


@dataclass
class Journal:
    """A journal file, read without writing; `raw` by seq."""

    epoch: bytes
    acked: int
    boot: int
    entries: list[Entry]
    broken: int | None

    @property
    def raw(self) -> dict[int, bytes]:
        return {entry.seq: entry.raw for entry in self.entries}

    def events(self) -> list[tuple[str, dict[str, Any]]]:
        """(code, fields) of every EVENT, in order."""
        bodies = [entry.body for entry in self.entries if entry.kind == 3]
        return [(code, dict(zip(flat[::2], flat[1::2], strict=True))) for code, flat in bodies]


def decode_entry(raw: bytes) -> Entry:
    fields = msgpack.unpackb(raw)
    assert len(fields) == 7
    return Entry._make([*fields, raw])


@contextlib.contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection that cannot write."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        yield database


def read_journal(path: Path) -> Journal:
    """The journal of a gateway, running or not; broken: first seq at which the chain breaks."""
    with reading(path) as database:
        database.execute("BEGIN")
        meta = dict(database.execute("SELECT name, value FROM meta").fetchall())
        rows = database.execute("SELECT seq, record, hash FROM journal ORDER BY seq").fetchall()
    head = hashlib.sha256(b"carbontally" + meta["gateway"].encode() + meta["epoch"]).digest()
    entries = []
    broken = None
    for at, (seq, record, digest) in enumerate(rows):
        entries.append(decode_entry(record))
        head = hashlib.sha256(head + record).digest()
        if broken is None and (seq != at or entries[-1].seq != at or head != digest):
            broken = at
    return Journal(meta["epoch"], meta["acked"], meta["boot"], entries, broken)


def read_cloud(path: Path, epoch: bytes) -> list[Entry]:
    """Every record that the receiver stored of one journal, duplicates included if any."""
    with reading(path) as database:
        rows = database.execute(
            "SELECT r.body FROM records r JOIN journals j ON j.id = r.journal"
            " WHERE j.epoch = ? ORDER BY r.seq",
            (epoch,),
        ).fetchall()
    return [decode_entry(row[0]) for row in rows]


def read_quarantine(path: Path) -> list[tuple[str, str]]:
    """(owner, code) of what was refused, in order."""
    with reading(path) as database:
        return database.execute("SELECT owner, code FROM quarantine ORDER BY id").fetchall()


@dataclass
class Findings:
    """What the ledger says of the cloud's readings.

    polls, good: polls and good readings looked at; wrong: device and seq of each that no reply on
    the wire explains; unheard: intact replies that no poll has taken, by device.
    """

    polls: int = 0
    good: int = 0
    wrong: list[tuple[str, int]] = field(default_factory=list)
    unheard: dict[str, int] = field(default_factory=dict)


def judge_cloud(
    cloud: Path, ledger: Path, profiles: Path = PROFILE_DIR, apart_ms: int = 0
) -> Findings:
    """Match every block of every poll to a reply of its own, in the order of the wire.

    profiles: folder with those of the devices. apart_ms: how late the gateway's clock may be.
    """
    findings = Findings()
    with reading(cloud) as database:
        devices = database.execute(
            "SELECT journal, number, name, bus, station, profile FROM devices"
        ).fetchall()
        for journal, number, name, bus, station, profile_id in devices:
            polls = _cloud_polls(database, journal, number, apart_ms)
            replies = [row for row in read_replies(ledger, bus, station) if _is_intact(row)]
            profile = read_profile(profiles / f"{profile_id}.toml")
            findings.polls += len(polls)
            findings.good += sum(
                quality == GOOD for *_, values in polls for _, quality in values.values()
            )
            _judge_device(findings, name, polls, replies, profile)
    return findings


def _cloud_polls(
    database: sqlite3.Connection, journal: int, device: int, late_ms: int
) -> list[tuple[int, int, Values]]:
    """(seq, wall_ms, values) of a device's polls in order."""
    rows = database.execute(
        "SELECT r.seq, x.wall_ms + ?, p.name, r.value, r.quality FROM readings r"
        " JOIN records x ON x.journal = r.journal AND x.seq = r.seq"
        " JOIN points p ON p.journal = r.journal AND p.device = r.device AND p.number = r.point"
        " WHERE r.journal = ? AND r.device = ? ORDER BY r.seq, r.point",
        (late_ms, journal, device),
    )
    polls: list[tuple[int, int, Values]] = []
    for seq, wall_ms, name, value, quality in rows:
        if not polls or polls[-1][0] != seq:
            polls.append((seq, wall_ms, {}))
        polls[-1][2][name] = (value, quality)
    return polls


def _is_intact(reply: ServedReply) -> bool:
    is_whole = reply.fault is None or reply.fault in INTACT_FAULTS
    return is_whole and reply.exception is None


def _judge_device(
    findings: Findings,
    device: str,
    polls: list[tuple[int, int, Values]],
    replies: list[ServedReply],
    profile: Profile,
) -> None:
    blocks: dict[Block, list[ServedReply]] = {}
    for reply in replies:
        assert reply.address is not None and reply.count is not None
        block = (reply.function, reply.address, reply.count)
        blocks.setdefault(block, []).append(reply)
    unheard = 0
    covered: set[str] = set()
    for block, served in blocks.items():
        names = _names_in(block, profile, polls)
        assert not covered & names, "two blocks bring one point"
        covered |= names
        unheard += _judge_block(findings, device, polls, names, served, profile)
    findings.unheard[device] = unheard
    for seq, _, values in polls:
        if any(quality == GOOD and name not in covered for name, (_, quality) in values.items()):
            findings.wrong.append((device, seq))


def _names_in(block: Block, profile: Profile, polls: list[tuple[int, int, Values]]) -> set[str]:
    function, first, count = block
    known = set(polls[0][2]) if polls else set()
    return {
        point.name
        for point in profile.points
        if point.function == function
        and first <= point.address
        and point.address + point.width <= first + count
    } & known


def _judge_block(
    findings: Findings,
    device: str,
    polls: list[tuple[int, int, Values]],
    names: set[str],
    served: list[ServedReply],
    profile: Profile,
) -> int:
    """Replies left over after each poll has taken the first that says what it says."""
    truths = [_decode(reply, names, profile) for reply in served]
    at = taken = 0
    for seq, wall_ms, values in polls:
        part = {name: values[name] for name in names if values[name][1] in _READ}
        if not part:
            continue
        match = _find(part, truths, served, at, wall_ms)
        if match is None:
            findings.wrong.append((device, seq))
            continue
        at = match[1] + 1
        while at < len(served) and served[at].wall_ms <= wall_ms + _SAME_MS:
            at += 1
        taken += at - match[0]
    return len(served) - taken


def _find(
    part: Values,
    truths: list[dict[str, int | None]],
    served: list[ServedReply],
    at: int,
    wall_ms: int,
) -> tuple[int, int] | None:
    """The first reply from `at` on that explains every reading, alone or with one soon after."""
    for first in range(at, len(served)):
        age_ms = wall_ms - served[first].wall_ms
        if age_ms < -_AHEAD_MS:
            return None
        if age_ms > _WITHIN_MS:
            continue
        left = {n: r for n, r in part.items() if not _agrees(*r, truths[first][n])}
        if not left:
            return first, first
        if len(left) == len(part):
            continue
        for second in range(first + 1, min(first + _LOOKS, len(served))):
            between_ms = served[second].wall_ms - served[first].wall_ms
            if between_ms <= min(_LOOKS_MS, age_ms + _AHEAD_MS) and all(
                _agrees(*reading, truths[second][name]) for name, reading in left.items()
            ):
                single = all(_agrees(*r, truths[second][n]) for n, r in part.items())
                return (second, second) if single else (first, second)
    return None


def _decode(reply: ServedReply, names: set[str], profile: Profile) -> dict[str, int | None]:
    assert reply.registers is not None and reply.address is not None
    words = [
        int.from_bytes(reply.registers[i : i + 2], "big")
        for i in range(0, len(reply.registers), 2)
    ]
    figures = {}
    for name in names:
        point = profile.point(name)
        first = point.address - reply.address
        figures[name] = judge_point(words[first : first + point.width], point, profile)
    return figures


def _agrees(value: int | None, quality: int, truth: int | None) -> bool:
    if truth is None:
        return value is None and quality == SENTINEL
    return value == truth and quality in (GOOD, BACKWARDS)
