"""Readings judged: what the emulator's ledger says was served against the rows in the cloud.

The ledger's registers are decoded by `emulator.judge`, which shares no code with the gateway.
Both sides are in the order of the bus, station by station, so they are walked in step.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hil_tests.emulator.judge import Poll, expected_polls, judge_poll
from hil_tests.emulator.ledger import ServedReply, read_replies
from hil_tests.emulator.profile import PROFILE_DIR, Profile, read_profile

#: The demonstration's timeout is 300 ms, its polls are 1 s apart. A reply this soon after another
#: is that to a retry; one that is not a second later may be: on a machine that stands still a
#: retry is late, and the poll after a late one is soon.
_RETRY_MS = 300
_NEXT_MS = 900
_NEVER_MS = 1 << 62


@dataclass
class Served:
    """A poll as it was on the wire, by the last replies and by the first ones.

    next_ms: from here to the next poll. is_repeated: there is a second reply to each read.
    """

    last: dict[str, int | None]
    first: dict[str, int | None]
    next_ms: int
    is_repeated: bool


@dataclass
class Count:
    """Readings of one station or of all.

    served: in replies that were complete and intact. stored: rows in the cloud with a value.
    lost: served, and neither stored nor recorded as a failed poll. duplicated: stored more often
    than served. wrong: stored with another value. unread: served, recorded by the gateway as not
    read (it did not get the reply in time): a whole poll, or the points of one reply; or asked for
    again at once.
    """

    served: int = 0
    stored: int = 0
    lost: int = 0
    duplicated: int = 0
    wrong: int = 0
    unread: int = 0

    def add(self, other: "Count") -> None:
        """Add another station's count."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class CloudPoll:
    """One poll as the cloud has it: point name -> (mantissa or None, quality)."""

    seq: int
    values: dict[str, tuple[int | None, int]]

    @property
    def unread(self) -> int:
        """Points of which the gateway recorded that it read nothing usable."""
        return sum(value is None and quality != 0 for value, quality in self.values.values())

    @property
    def failed(self) -> bool:
        """The gateway recorded that of every point."""
        return self.unread == len(self.values)


def count_readings(ledger: Path, cloud: Path) -> Count:
    """Judge every device in the cloud's database against the ledger."""
    total = Count()
    with sqlite3.connect(f"file:{cloud}?mode=ro", uri=True) as db:
        devices = db.execute("SELECT number, bus, station, profile FROM devices").fetchall()
        for number, bus, station, profile_id in devices:
            profile = read_profile(PROFILE_DIR / f"{profile_id}.toml")
            replies = read_replies(ledger, bus, station)
            served = served_polls(replies, profile)
            total.add(judge_polls(served, list(_cloud_polls(db, number))))
    return total


def served_polls(replies: list[ServedReply], profile: Profile) -> list[Served]:
    """Complete polls of one station, in the order of the wire."""
    pairs = pair_polls(replies)
    next_ms = [last.first_wall_ms for last, _ in pairs[1:]]
    return [
        Served(
            judge_poll(last, profile),
            judge_poll(first, profile),
            begun_ms - last.first_wall_ms,
            len(last.reply_ids) >= 2 * len(first.reply_ids),
        )
        for (last, first), begun_ms in zip(pairs, [*next_ms, _NEVER_MS], strict=False)
    ]


def pair_polls(replies: list[ServedReply]) -> list[tuple[Poll, Poll]]:
    """Complete polls, each as its last and as its first replies make it.

    The gateway reads an odd counter again: the other values are then those of the first reply.
    """
    blocks = []
    for reply in replies:
        block = (reply.function, reply.address, reply.count)
        if reply.address is not None and reply.count is not None and block not in blocks:
            blocks.append(block)
    last = expected_polls(replies, blocks, _RETRY_MS)  # type: ignore[arg-type]
    again = {identity for poll in last for identity in _repeats(poll, replies)}
    kept = [reply for reply in replies if reply.id not in again]
    first = expected_polls(kept, blocks, _RETRY_MS)  # type: ignore[arg-type]
    if len(first) != len(last):
        first = last
    return [pair for pair in zip(last, first, strict=True) if pair[0].complete]


def _repeats(poll: Poll, replies: list[ServedReply]) -> list[int]:
    """Ids of a poll's replies to a block that it had read before."""
    found, seen = [], set()
    for reply in replies:
        if reply.id in poll.reply_ids:
            if (reply.function, reply.address) in seen:
                found.append(reply.id)
            seen.add((reply.function, reply.address))
    return found


def _cloud_polls(db: sqlite3.Connection, device: int) -> Iterator[CloudPoll]:
    rows = db.execute(
        """SELECT r.seq, p.name, r.value, r.quality FROM readings r
           JOIN points p ON p.journal = r.journal AND p.device = r.device AND p.number = r.point
           WHERE r.device = ? ORDER BY r.seq, r.point""",
        (device,),
    )
    poll = None
    for seq, name, value, quality in rows:
        if poll is None or poll.seq != seq:
            if poll is not None:
                yield poll
            poll = CloudPoll(seq, {})
        poll.values[name] = (value, quality)
    if poll is not None:
        yield poll


def judge_polls(truth: list[Served], stored: list[CloudPoll]) -> Count:
    """Match stored polls to served ones in order.

    A served poll that no stored one equals may be skipped where the gateway asked again at once,
    or against a poll that it recorded as failed; what is skipped beyond those is lost.
    """
    count = Count()
    width = len(stored[0].values) if stored else 0
    count.served = width * len(truth)
    at = 0
    skipped: list[Served] = []
    failed = 0
    for poll in stored:
        if poll.failed:
            failed += 1
            continue
        count.stored += sum(value is not None for value, _ in poll.values.values())
        match = _find(truth, at, poll, failed)
        if match is not None:
            count.unread += poll.unread
            skipped += truth[at:match]
            at = match + 1
        elif not at or not _equal(truth[at - 1], poll):
            count.wrong += width
        elif truth[at - 1].is_repeated:
            truth[at - 1].is_repeated = False
        else:
            count.duplicated += width
    skipped += truth[at:]
    missed = sum(poll.next_ms >= _NEXT_MS for poll in skipped)
    count.lost = width * max(0, missed - failed)
    count.unread += width * len(skipped) - count.lost
    return count


def _find(truth: list[Served], at: int, poll: CloudPoll, slack: int) -> int | None:
    """Index of the served poll that `poll` equals, looking ahead past polls that may be unread."""
    for index in range(at, min(len(truth), at + slack + 3)):
        if _equal(truth[index], poll):
            return index
    return None


def _equal(truth: Served, poll: CloudPoll) -> bool:
    return all(
        (value is None and quality != 0)
        or value in (truth.last.get(name, "?"), truth.first.get(name, "?"))
        for name, (value, quality) in poll.values.items()
    )
