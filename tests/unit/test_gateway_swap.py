"""A meter is exchanged: held until it is confirmed, then counted once, whatever is killed when."""

import pytest

from edge.core.carbon.counter import Flag
from edge.core.carbon.interval import FLAGS
from edge.core.journal.record import Kind, Part
from edge.core.numbers.quality import Quality

from . import virtual_site
from .virtual_site import DOCUMENT, HOUR_MS, INTERVAL_MS, Site

#: The old meter counted on by so much after its last reading (0.01 kW.h).
UNREAD = 40
SWAP_MS = HOUR_MS + 20_000


def exchange(site: Site) -> tuple[int, int]:
    """Put a meter at 7.77 kW.h in the place of `grid`; (last register of the old one, first)."""
    old = site.register(1) + UNREAD
    site.shift_register = 777 - site.register(1)
    return old, 777


def confirm(monkeypatch: pytest.MonkeyPatch, old: int, new: int) -> None:
    swap = {
        "point": "grid.energy",
        "old": f"{old // 100}.{old % 100:02d}",
        "new": f"{new // 100}.{new % 100:02d}",
        "at": "2026-11-20T09:40:00+08:00",
        "why": "meter",
    }
    monkeypatch.setattr(virtual_site, "DOCUMENT", {**DOCUMENT, "swap": [swap]})


@pytest.fixture
def site() -> Site:
    """The grid meter is exchanged after an hour; nobody has said so for half an hour."""
    site = Site()
    site.run(SWAP_MS)
    site.exchanged = exchange(site)
    site.first = site.registers_recorded(0)[0]
    site.run(SWAP_MS + 2 * INTERVAL_MS)
    return site


def grid(site: Site) -> list[list]:
    return [body[2][0] for body in site.intervals()]


def test_it_is_held_and_told_until_then(site: Site):
    assert [event["point"] for event in site.events("data.backwards")][0] == "grid"
    told = site.events("data.reset") + site.events("data.level")
    assert len([event for event in told if event["point"] == "grid"]) == 1
    last = grid(site)[-1]
    assert last[3] == 0 and last[5] == 0 and last[FLAGS] & Flag.HELD
    marks = [body[2] for body in site.store.bodies(Kind.POLL) if body[0] == 0][-1]
    assert marks == [0, Quality.BACKWARDS]


def test_confirmed_it_counts_everything_once(site: Site, monkeypatch: pytest.MonkeyPatch):
    old, new = site.exchanged
    site.stop()
    confirm(monkeypatch, old, new)
    site.start()
    site.run(SWAP_MS + 4 * INTERVAL_MS)
    last = grid(site)[-1]
    shown = [r for r in site.registers_recorded(0) if r < 1_000_000]
    assert last[1] == old + (shown[-1] - new) or last[1] == old + (shown[-2] - new)
    assert sum(entry[3] for entry in grid(site)) == 10 * (last[1] - site.first)
    (event,) = site.events("counter.swap")
    assert (event["old"], event["new"], event["streams"]) == (old, new, "grid")
    assert any(entry[FLAGS] & Flag.STEP for entry in grid(site))


def test_it_takes_effect_once_whatever_is_killed(site: Site, monkeypatch: pytest.MonkeyPatch):
    """Kills right after the start, before an interval has closed, and later."""
    old, new = site.exchanged
    confirm(monkeypatch, old, new)
    for _ in range(3):
        site.start()
        site.run(site.up_ms + 70_000)
    site.run(SWAP_MS + 4 * INTERVAL_MS)
    site.start()
    site.run(SWAP_MS + 6 * INTERVAL_MS)
    parts = [part for body in site.store.bodies(Kind.TABLE) for part in body]
    assert len([part for part in parts if part[0] == Part.SWAP]) == 1
    assert len(site.events("counter.swap")) == 1
    last = grid(site)[-1][1]
    shown = [r for r in site.registers_recorded(0) if r < 1_000_000]
    assert last - old + new in shown[-3:]
    assert sum(entry[3] for entry in grid(site)) == 10 * (last - site.first)


def test_a_glitch_across_a_kill_is_still_a_glitch():
    site = Site()
    site.run(HOUR_MS + 70_000)
    true = site.shift_register
    site.shift_register = -site.register(1)
    site.run(site.up_ms + 60_000)
    site.start()
    site.shift_register = true
    site.run(2 * HOUR_MS + 60_000)
    codes = [event["point"] for event in site.events("data.glitch")]
    assert "grid" in codes
    last = grid(site)[-1][1]
    first = site.registers_recorded(0)[0]
    assert sum(entry[3] for entry in grid(site)) == 10 * (last - first)
    assert last in site.registers_recorded(0)
