"""kill -9 of gateway and receiver at random moments: nothing is lost, nothing comes twice."""

import random
import sqlite3
import subprocess
from pathlib import Path

import pytest

from hil_tests.intervals import check_telescoping
from hil_tests.processes import Command
from hil_tests.site import FACTORY, Site
from hil_tests.witness import judge_cloud, read_cloud, read_journal
from tests.contract.brokers import mosquitto

pytestmark = pytest.mark.system

KILLS = 38
RECEIVER_KILLS = 12
SEED = 20_261_121

#: A start takes about 0.2 s; the earliest kills fall into it.
LEAST_S, MOST_S = 0.05, 2.4

DRAIN_S = 40.0


def let_run(command: Command, seconds: float) -> None:
    """Let it run for a while; fail if it ends by itself."""
    with pytest.raises(subprocess.TimeoutExpired):
        command.process.wait(seconds)


def committed(path: Path) -> dict[int, bytes]:
    """What a journal holds, by seq; nothing while there is none yet."""
    try:
        journal = read_journal(path)
    except sqlite3.OperationalError:
        return {}
    assert journal.broken is None
    return {entry.seq: entry.raw for entry in journal.entries}


def make_site(folder: Path, port: int, chance: random.Random) -> Site:
    """The factory day, every device polled at a rate of its own, every record committed alone."""
    site = Site(folder, port)
    for device in site.document["device"]:
        device["poll_ms"] = chance.randrange(100, 501)
    site.write()
    return site


def play_kills(site: Site, chance: random.Random) -> list[dict[int, bytes]]:
    """Start and kill; return what was committed at each kill. Ends with all delivered."""
    kept: list[dict[int, bytes]] = []
    receiver = site.run_receiver()
    try:
        for turn in range(KILLS):
            seconds = chance.uniform(LEAST_S, MOST_S)
            with site.run_gateway() as gateway:
                if turn % (KILLS // RECEIVER_KILLS) == 2:
                    let_run(gateway, seconds / 2)
                    receiver.kill()
                    receiver = site.run_receiver(is_awaited=False)
                    seconds /= 2
                let_run(gateway, seconds)
                gateway.process.kill()
            kept.append(committed(site.journal))
        head = max(kept[-1])
        with site.run_gateway() as gateway:
            gateway.wait_status(lambda e: e["journal"]["acked_seq"] > head, "drained", DRAIN_S)
            status, _ = gateway.stop()
        assert status == 0
        assert gateway.events[-1]["journal"]["depth"] == 0
        assert receiver.stop()[0] == 0
    finally:
        receiver.kill()
    return kept


def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    with mosquitto(tmp_path) as broker:
        site = make_site(tmp_path, broker.port, chance)
        with site.emulator():
            kept = play_kills(site, chance)
    journal = read_journal(site.journal)
    cloud = read_cloud(site.cloud, journal.epoch)
    findings = judge_cloud(site.cloud, site.ledger)
    final = journal.raw
    lost = sum(raw != final.get(seq) for rows in kept for seq, raw in rows.items())
    twice = len(cloud) - len({entry.seq for entry in cloud})
    starts = [fields["boot"] for code, fields in journal.events() if code == "gateway.boot"]
    intervals = check_telescoping(journal.entries)
    print(
        f"{KILLS} kills of the gateway, {RECEIVER_KILLS} of the receiver, {len(starts)} starts"
        f" that left records, {len(final)} records ({[len(rows) for rows in kept]} at the kills),"
        f" {lost} lost, {twice} twice, {intervals} intervals, {findings.polls} polls,"
        f" {findings.good} good readings, {len(findings.wrong)} wrong,"
        f" {sum(findings.unheard.values())} replies that a kill cost"
    )
    assert lost == 0
    assert journal.broken is None
    assert [entry.raw for entry in cloud] == list(final.values())
    assert twice == 0
    assert findings.wrong == []
    _check_growth(kept, starts, journal.boot)
    assert intervals >= 10
    assert findings.polls > 100
    # A poll under way and one not committed yet are all that a kill may cost.
    assert max(findings.unheard.values()) <= 2 * KILLS


def _check_growth(kept: list[dict[int, bytes]], starts: list[int], boot: int) -> None:
    """The run was one that could lose something."""
    sizes = [len(rows) for rows in kept]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) > KILLS // 2
    assert starts == sorted(set(starts))
    assert KILLS // 2 < len(starts) <= boot <= KILLS + 1
    assert len(FACTORY) * KILLS // 2 < sizes[-1]
