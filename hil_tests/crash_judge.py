"""A journal that is written while everything is recorded, and the judge of what a cut left of it.

The ledger holds every record that was handed to the store, beside it. The judge opens an image
with the standard library's SQLite and accepts exactly what the ledger has.
"""

import random
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from edge.core.errors import StoreError
from edge.core.journal.chain import Chain
from edge.core.journal.record import Kind, Part, Record, decode_record, encode_record, event_body
from edge.core.journal.retain import decode_tombstone
from edge.ports.linux.sqlite_store import SqliteStore
from hil_tests.crash_images import (
    Image,
    Medium,
    Recorder,
    RecordingMark,
    Tape,
    images,
    lay_out,
)

GATEWAY = "gw-crash"
T0_MS = 1_800_000_000_000
POINTS = [["e", "W.h", 0, "counter"], ["p", "W", 1, "gauge"]]
TABLE = [[Part.DEVICE, 0, "meter", "bus", 1, "some/model", b"p" * 32, 1000, POINTS]]

#: The log is folded into the file this often, so that a short run has many checkpoints.
CHECKPOINT_PAGES = 14


@dataclass
class Ledger:
    """What was handed over. tape: everything that was written meanwhile."""

    tape: Tape
    epoch: bytes = b""
    records: dict[int, bytes] = field(default_factory=dict)
    acked: int = -1

    @property
    def contents(self) -> set[bytes]:
        """Every record without its seq, which a salvage changes."""
        return {without_seq(data) for data in self.records.values()}


def without_seq(data: bytes) -> bytes:
    """A record's bytes as they would be at seq 0; a tombstone also without its range."""
    record = decode_record(data)._replace(seq=0)
    if record.kind == Kind.TOMBSTONE:
        record = record._replace(body=[None, None, *record.body[2:6], None, None])
    return encode_record(record)


class Writer:
    """Appends records as a gateway does."""

    def __init__(self, store: SqliteStore, ledger: Ledger, draw: random.Random) -> None:
        self.store, self.ledger, self.draw = store, ledger, draw

    def append(self, kinds: list[int]) -> None:
        """One commit."""
        head = Chain(self.store.next_seq, self.store.head)
        rows = []
        for kind in kinds:
            seq = head.next_seq
            at_ms = 1_000 * seq
            made = Record(
                kind, seq, self.store.boot, at_ms, T0_MS + at_ms, 2, self._body(kind, seq)
            )
            data = encode_record(made)
            rows.append((seq, kind, data, head.extend(data)))
            self.ledger.records[seq] = data
        self.store.append(rows)
        self.ledger.tape.done(self.store.next_seq - 1)

    def _body(self, kind: int, seq: int) -> list[object]:
        if kind == Kind.TABLE:
            return list(TABLE)
        if kind == Kind.EVENT:
            return event_body("some.event", {"why": "x" * self.draw.randrange(60)})
        if kind == Kind.INTERVAL:
            return [T0_MS, T0_MS + seq, [], [None, None, None, None, None]]
        return [0, [7 * seq, self.draw.randrange(-500, 500)], [], [0, self.draw.randbytes(8)]]

    def ack(self, seq: int) -> None:
        self.store.ack(seq)
        self.ledger.acked = seq
        self.ledger.tape.done(self.store.next_seq - 1)


def open_recorded(path: Path, recorder: Recorder, quota_bytes: int | None = None) -> SqliteStore:
    """The real store on the recording VFS."""
    store = SqliteStore(path, GATEWAY, 0, quota_bytes, recorder.connect)
    store.mark.close()
    store.mark = RecordingMark(store.mark.path, recorder.tape)
    store.file.query(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return store


def write_journal(folder: Path, seed: int, commits: int, synchronous: str = "FULL") -> Ledger:
    """Write a journal with polls, events, intervals, acks and a restart; return what it should be.

    The tape ends with a cut, the log still full. synchronous: what the store should use is FULL.
    """
    draw = random.Random(seed)
    recorder = Recorder(folder / "journal.db")
    ledger = Ledger(recorder.tape)
    try:
        store = open_recorded(folder / "journal.db", recorder)
        ledger.epoch = store.epoch
        Writer(store, ledger, draw).append([Kind.TABLE])
        for number in range(commits):
            store.file.query(f"PRAGMA synchronous = {synchronous}")
            writer = Writer(store, ledger, draw)
            kinds = [Kind.POLL] * draw.randrange(1, 6)
            if number % 7 == 3:
                kinds.append(Kind.EVENT)
            if number % 11 == 5:
                kinds.append(Kind.INTERVAL)
            writer.append(kinds)
            if number % 5 == 4:
                writer.ack(draw.randrange(store.acked_seq + 1, store.next_seq))
            if number == commits // 2:
                store.close()
                store = open_recorded(folder / "journal.db", recorder)
        store.mark.close()
        length = len(ledger.tape.operations)
        store.file.close()
        del ledger.tape.operations[length:]  # cut before the close
    finally:
        recorder.close()
    return ledger


class Verdict(Counter[str]):
    """Counts of what images showed; what `FAULTS` names must stay 0."""

    FAULTS = ("lost", "wrong", "silent")

    @property
    def is_clean(self) -> bool:
        """True when nothing was lost, wrong, or lost without a word."""
        return not any(self[name] for name in self.FAULTS)


def judge_honest(image: Image, ledger: Ledger, path: Path, verdict: Verdict) -> None:
    """Nothing promised is missing, nothing needed repair, everything is the ledger's."""
    lay_out(image.files, path)
    store = SqliteStore(path, GATEWAY, 0)
    verdict["images"] += 1
    if image.promised >= 0:
        verdict["wrong"] += store.epoch != ledger.epoch
        verdict["lost"] += max(0, image.promised + 1 - store.next_seq)
        found = [data for data, _ in store.read(0, store.next_seq - 1)]
        expected = [ledger.records[seq] for seq in range(store.next_seq)]
        verdict["wrong"] += found != expected or store.acked_seq > image.promised
    codes = {code for code, _ in store.findings()}
    verdict["wrong"] += bool(codes - {"journal.cut", "journal.begun"})
    store.close()


def judge_damaged(image: Image, ledger: Ledger, path: Path, verdict: Verdict) -> None:
    """Whatever is lost must be told; whatever is served must be the ledger's."""
    lay_out(image.files, path)
    store = SqliteStore(path, GATEWAY, 0)
    verdict["images"] += 1
    try:
        rows = read_all(store)
    except StoreError as error:
        assert error.code == "store.corrupt", error.fields
        store.renew("damaged")
        rows = read_all(store)
    told: dict[str, dict[str, object]] = dict(store.findings())
    if store.epoch == ledger.epoch:
        verdict["wrong"] += rows != [ledger.records[seq] for seq in range(store.next_seq)]
        if store.next_seq <= image.promised:
            # All of the medium went back together, the mark with it. The journal tells of the
            # cut; where it went back to an orderly close, it looks switched off since. Either
            # way the cloud's next acknowledgement tells what is gone.
            verdict["found by the cloud"] += 1
            verdict["as if switched off"] += "journal.cut" not in told
            store.renew("rewound")
            rows, told = read_all(store), dict(store.findings())
        else:
            verdict["unharmed"] += 1
    if store.epoch != ledger.epoch:
        known = ledger.contents
        strange = [data for data in rows if without_seq(data) not in known]
        verdict["wrong"] += sum(decode_record(data).kind != Kind.TOMBSTONE for data in strange)
        verdict["silent"] += not {"journal.salvaged", "journal.lost", "journal.begun"} & set(told)
        verdict["salvaged"] += 1
        lost = told.get("journal.salvaged", {}).get("lost", 0)
        verdict["rows lost"] += lost if isinstance(lost, int) else 0
    store.close()


def read_all(store: SqliteStore) -> list[bytes]:
    """Every record, by all the ways that a gateway reads them."""
    rows = [data for data, _ in store.read(0, store.next_seq - 1)]
    for kind in (Kind.TABLE, Kind.INTERVAL, Kind.EVENT):
        assert store.of_kind(kind) == [d for d in rows if decode_record(d).kind == kind]
    for kind in (Kind.TABLE, Kind.EVENT):
        newest = store.last_of_kind(kind)
        assert newest is None or newest in rows
    gap = store.gap_from(0)
    assert gap is None or decode_tombstone(decode_record(rows[-1]).body)
    return rows


def work_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder in memory where there is one: only what is in the files counts here."""
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None)


def whole_image(ledger: Ledger) -> Image:
    """The files as the kernel has them at the end: nothing lost."""
    medium = Medium()
    for operation in ledger.tape.operations:
        medium.play(operation)
    files = medium.image("kept", random.Random(0))
    return Image(len(ledger.tape.operations), "kept", files, max(ledger.records))


def flipped(image: Image, draw: random.Random) -> Image:
    """The image with one byte of its database or its log changed."""
    names = [name for name in ("", "-wal") if image.files.get(name)]
    sizes = [len(image.files[name]) for name in names]
    name = draw.choices(names, sizes)[0]
    content = bytearray(image.files[name])
    at = draw.randrange(len(content))
    content[at] ^= draw.randrange(1, 256)
    return image._replace(mode=f"flip {name}@{at}", files={**image.files, name: bytes(content)})


#: Commits of one round's journal, and images of it for each way in which it is damaged.
ROUND_COMMITS = 60
ROUND_DAMAGED = 300


def judge_round(seed: int) -> Verdict:
    """One journal of this seed, with honest cuts, lying media and flipped bytes."""
    verdict = Verdict()
    with work_folder() as name:
        folder = Path(name)
        (folder / "made").mkdir()
        ledger = write_journal(folder / "made", seed, ROUND_COMMITS)
        for image in images(ledger.tape, seed):
            judge_honest(image, ledger, folder / "journal.db", verdict)
        last = whole_image(ledger)
        draw = random.Random(seed)
        for window in (2, 8, 32):
            lied = images(ledger.tape, seed + window, window)
            for image in (next(lied) for _ in range(ROUND_DAMAGED)):
                judge_damaged(image, ledger, folder / "journal.db", verdict)
        for _ in range(ROUND_DAMAGED):
            judge_damaged(flipped(last, draw), ledger, folder / "journal.db", verdict)
    return verdict
