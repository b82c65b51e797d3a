"""Readings judged: what the emulator's ledger says was served against the rows in the cloud.

The ledger's registers are decoded by `emulator.judge`, which shares no code with the gateway.
Both sides are in the order of the bus, station by station, so they are walked in step.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hil_tests.emulator.judge import Poll, expected_polls, judge_poll
from hil_tests.emulator.ledger import read_replies
from hil_tests.emulator.profile import PROFILE_DIR, Profile, read_profile

#: A retry follows its failed read within this time.
_RETRY_MS = 900


@dataclass
class Count:
    """Readings of one station or of all.

    served: in replies that were complete and intact. stored: rows in the cloud with a value.
    lost: served, and neither stored nor recorded as a failed poll. duplicated: stored more often
    than served. wrong: stored with another value. unread: served, recorded by the gateway as a
    failed poll (it did not get the reply in time).
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
    def failed(self) -> bool:
        """The gateway recorded that it read nothing usable."""
        return all(value is None and quality != 0 for value, quality in self.values.values())


def count_readings(ledger: Path, cloud: Path) -> Count:
    """Judge every device in the cloud's database against the ledger."""
    total = Count()
    with sqlite3.connect(f"file:{cloud}?mode=ro", uri=True) as db:
        devices = db.execute("SELECT number, bus, station, profile FROM devices").fetchall()
        for number, bus, station, profile_id in devices:
            profile = read_profile(PROFILE_DIR / f"{profile_id}.toml")
            served = _served_polls(ledger, bus, station)
            total.add(_walk(served, list(_cloud_polls(db, number)), profile))
    return total


def _served_polls(ledger: Path, bus: str, station: int) -> list[Poll]:
    replies = read_replies(ledger, bus, station)
    blocks = []
    for reply in replies:
        block = (reply.function, reply.address, reply.count)
        if reply.address is not None and reply.count is not None and block not in blocks:
            blocks.append(block)
    polls = expected_polls(replies, blocks, _RETRY_MS)  # type: ignore[arg-type]
    return [poll for poll in polls if poll.complete]


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


def _walk(served: list[Poll], stored: list[CloudPoll], profile: Profile) -> Count:
    """Match stored polls to served ones in order.

    A served poll that no stored one equals may be skipped only against a poll that the gateway
    recorded as failed; what is skipped beyond those is lost.
    """
    count = Count()
    truth = [judge_poll(poll, profile) for poll in served]
    width = len(stored[0].values) if stored else 0
    count.served = width * len(truth)
    at = 0
    skipped = 0
    failed = 0
    for poll in stored:
        if poll.failed:
            failed += 1
            continue
        count.stored += sum(value is not None for value, _ in poll.values.values())
        match = _find(truth, at, poll, failed)
        if match is None:
            count.duplicated += width if at and _equal(truth[at - 1], poll) else 0
            count.wrong += 0 if at and _equal(truth[at - 1], poll) else width
            continue
        skipped += match - at
        at = match + 1
    skipped += len(truth) - at
    count.unread = width * min(skipped, failed)
    count.lost = width * max(0, skipped - failed)
    return count


def _find(truth: list[dict[str, int | None]], at: int, poll: CloudPoll, slack: int) -> int | None:
    """Index of the served poll that `poll` equals, looking ahead past polls that may be unread."""
    for index in range(at, min(len(truth), at + slack + 2)):
        if _equal(truth[index], poll):
            return index
    return None


def _equal(truth: dict[str, int | None], poll: CloudPoll) -> bool:
    return all(truth.get(name, "?") == value for name, (value, _) in poll.values.items())
