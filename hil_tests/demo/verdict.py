"""The verdict: nothing lost, nothing twice, nothing wrong, chain whole; or what is not."""

import shutil
import sqlite3
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cloud_sync.verify import verify_store
from edge.core.errors import StoreError
from hil_tests.demo.carbon import StreamSum, judge_streams
from hil_tests.demo.readings import Count, count_readings


@dataclass
class Verdict:
    """What a run proved.

    records_lost, records_altered: journal records that the cloud lacks or has with other bytes.
    """

    readings: Count
    records: int
    records_lost: int
    records_altered: int
    chain_verified: bool
    streams: list[StreamSum]

    @property
    def lost(self) -> int:
        """Readings and records that did not arrive."""
        return self.readings.lost + self.records_lost

    @property
    def wrong(self) -> int:
        """Readings, records and carbon figures that are not what they should be."""
        carbon = sum(stream.wrong for stream in self.streams)
        return self.readings.wrong + self.records_altered + carbon

    @property
    def holds(self) -> bool:
        """True when everything that was served is in the cloud, once, right and proven."""
        some = self.readings.stored > 0 and self.records > 0
        faults = self.lost + self.readings.duplicated + self.wrong
        return some and faults == 0 and self.chain_verified

    @property
    def doubts(self) -> list[str]:
        """Streams whose figure is faithful to the readings and yet does not say what flowed."""
        told = []
        for stream in self.streams:
            for name, intervals in (("held", stream.held), ("not read", stream.missing)):
                if intervals:
                    told.append(f"{stream.name} {name} in {intervals} of {stream.intervals}")
        return told

    def scope_mg(self, scope: int) -> int:
        """Emission of one scope over the closed intervals."""
        return sum(stream.emission_mg for stream in self.streams if stream.scope == scope)

    def basis_mg(self) -> dict[str, int]:
        """Scope 2 on each further basis; a stream without a rate for it has its one emission."""
        names = sorted({basis for stream in self.streams for basis in stream.bases})
        bought = [stream for stream in self.streams if stream.scope == 2]
        return {
            basis: sum(stream.bases.get(basis, stream.emission_mg) for stream in bought)
            for basis in names
        }

    def as_object(self) -> dict[str, Any]:
        """The verdict for `--json`."""
        return {
            "event": "verdict",
            "holds": self.holds,
            "doubts": self.doubts,
            "lost": self.lost,
            "duplicated": self.readings.duplicated,
            "wrong": self.wrong,
            "chain_verified": self.chain_verified,
            "records": self.records,
            "readings": asdict(self.readings),
            "scope1_mg": self.scope_mg(1),
            "scope2_mg": self.scope_mg(2),
            "scope2_bases_mg": self.basis_mg(),
            "streams": [asdict(stream) for stream in self.streams],
        }


def reach_verdict(folder: Path) -> Verdict:
    """Judge the databases that a run left in `folder`.

    Raises StoreError demo.unjudged for one that cannot be read, as a full disk leaves it.
    """
    try:
        return _judge(folder)
    except StoreError as error:
        file, reason = error.fields.get("file", folder), error.fields.get("reason", error.code)
        raise StoreError("demo.unjudged", file=file, reason=reason) from error
    except sqlite3.Error as error:
        raise StoreError("demo.unjudged", file=folder, reason=str(error)) from error


def _judge(folder: Path) -> Verdict:
    cloud = folder / "cloud.db"
    lost, altered, records = _compare_records(folder / "journal.db", cloud)
    return Verdict(
        count_readings(folder / "ledger.db", cloud),
        records,
        lost,
        altered,
        verify_store(cloud).ok,
        judge_streams(cloud, folder / "gateway.toml"),
    )


def _compare_records(journal: Path, cloud: Path) -> tuple[int, int, int]:
    """(records the cloud lacks, records with other bytes, records in the journal)."""
    with sqlite3.connect(f"file:{journal}?mode=ro", uri=True) as db:
        kept = dict(db.execute("SELECT seq, record FROM journal"))
    with sqlite3.connect(f"file:{cloud}?mode=ro", uri=True) as db:
        received = dict(db.execute("SELECT seq, body FROM records"))
    lost = sum(seq not in received for seq in kept)
    altered = sum(received[seq] != kept[seq] for seq in kept if seq in received)
    return lost, altered + sum(seq not in kept for seq in received), len(kept)


def verdict_lines(verdict: Verdict, folder: Path) -> list[str]:
    """The verdict for people, and the two commands to look for oneself."""
    count = verdict.readings
    lines = [
        "",
        f"readings   served {count.served}  stored {count.stored}  lost {verdict.lost}"
        f"  duplicated {count.duplicated}  wrong {verdict.wrong}"
        + (f"  (not read in time, recorded: {count.unread})" if count.unread else ""),
        f"records    {verdict.records} in the journal, chain "
        + ("verified" if verdict.chain_verified else "BROKEN"),
        "carbon     (closed intervals)",
    ]
    for stream in verdict.streams:
        emission = f"{stream.emission_mg / 1e6:12.6f} kg CO2"
        scope = f"scope {stream.scope}" if stream.scope else "memo   "
        lines.append(
            f"  {stream.name:12} {scope}  {stream.activity:>12} {stream.unit:4} {emission}"
        )
    total = (verdict.scope_mg(1) + verdict.scope_mg(2)) / 1e6
    lines.append(
        f"  total        scope 1 {verdict.scope_mg(1) / 1e6:.6f} kg"
        f"  scope 2 {verdict.scope_mg(2) / 1e6:.6f} kg  together {total:.6f} kg CO2"
    )
    others = "  ".join(f"{basis} {mg / 1e6:.6f} kg" for basis, mg in verdict.basis_mg().items())
    if others:
        lines.append(f"  scope 2 on other bases: {others}")
    outcome = "HOLDS" if verdict.holds else "DOES NOT HOLD"
    if verdict.doubts:
        outcome += "; figures are incomplete: " + ", ".join(verdict.doubts) + " intervals"
    lines.append(f"verdict    {outcome}")
    return lines


def look_yourself(folder: Path) -> list[str]:
    """The two SQL commands for a run whose databases are kept."""
    cloud = folder / "cloud.db"
    lines = [
        "look for yourself:",
        f"  sqlite3 {cloud} 'SELECT device, point, value, unit, quality, time FROM v_readings"
        " ORDER BY seq DESC LIMIT 20'",
        f'  sqlite3 {cloud} \'SELECT start, "end", scope1_kg, scope2_kg, intensity_kg_per_kwh'
        " FROM v_intervals'",
    ]
    if shutil.which("sqlite3") is None:
        lines.append("  (the sqlite3 command is in Debian's package sqlite3)")
    return lines
