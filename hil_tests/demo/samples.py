"""The good readings of one point, as the cloud has them."""

import sqlite3
from fractions import Fraction


def read_samples(db: sqlite3.Connection, reference: str) -> list[tuple[int, int, Fraction]]:
    """(seq, mono_ms, value) of all good readings of "device.point"."""
    device, _, point = reference.partition(".")
    rows = db.execute(
        """SELECT r.seq, x.mono_ms, r.value, p.places FROM readings r
           JOIN records x ON x.journal = r.journal AND x.seq = r.seq
           JOIN devices d ON d.journal = r.journal AND d.number = r.device
           JOIN points p ON p.journal = r.journal AND p.device = r.device AND p.number = r.point
           WHERE d.name = ? AND p.name = ? AND r.quality = 0 ORDER BY r.seq""",
        (device, point),
    )
    return [(seq, mono, Fraction(value, 10**places)) for seq, mono, value, places in rows]
