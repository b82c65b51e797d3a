"""A restart on a journal whose polls were thinned: what was recorded anew is not counted twice."""

import hashlib

import msgpack

from edge.core.journal.record import Kind

from .virtual_site import HOUR_MS, Site


def record_anew(site: Site, every: int) -> int:
    """Append copies of earlier polls with their own time, as retention does; return how many."""
    newest = site.store.records()[-1]
    anew = [body for body in site.store.records() if body[0] == Kind.POLL][::every]
    for body in anew:
        fields = [body[0], site.store.next_seq, *body[2:]]
        data = msgpack.packb(fields)
        digest = hashlib.sha256(site.store.head + data).digest()
        site.store.append([(site.store.next_seq, Kind.POLL, data, digest)])
    assert anew[0][3] < newest[3]
    return len(anew)


def counted(site: Site) -> tuple[int, int]:
    """(what the intervals sum to, the newest cumulative) of the grid meter."""
    bodies = site.intervals()
    return sum(body[2][0][3] for body in bodies), bodies[-1][2][0][1]


def test_polls_recorded_anew_change_no_count():
    plain, thinned = Site(), Site()
    for site in (plain, thinned):
        site.run(2 * HOUR_MS + 60_000)
        site.stop()
    assert record_anew(thinned, 7) > 20
    for site in (plain, thinned):
        site.start()
        site.run(site.up_ms + 2 * HOUR_MS)
    assert counted(thinned) == counted(plain)
    assert [b[2] for b in thinned.intervals()] == [b[2] for b in plain.intervals()]
    assert [code for code, _ in thinned.store.bodies(Kind.EVENT)] == [
        code for code, _ in plain.store.bodies(Kind.EVENT)
    ]


def test_without_an_interval_yet_the_newest_poll_of_a_device_stands():
    plain, thinned = Site(), Site()
    for site in (plain, thinned):
        site.run(600_000)
        site.stop()
        assert site.intervals() == []
    assert record_anew(thinned, 3) > 2
    for site in (plain, thinned):
        site.start()
        site.run(site.up_ms + HOUR_MS)
    assert counted(thinned) == counted(plain)
