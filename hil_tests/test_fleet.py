"""Fifty gateways at one receiver through real Mosquitto: turns, bounds, and one that floods.

Nothing is timed: everything is sent before the receiver can store any of it, and what is judged
is the order in which it was stored.
"""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloud_sync.fair import BURST_S
from cloud_sync.verify import verify_store
from hil_tests.fleet import Fleet, Gateway, Receiver, broker, free_port, plan_cuts, wait_until

pytestmark = pytest.mark.system

GATEWAYS, POLLS, PER_BATCH = 50, 720, 240
#: The one that floods, and its share at a rate of one a second.
FLOOD, RATE = 200, 1


@pytest.fixture(scope="module")
def port(tmp_path_factory) -> Iterator[int]:
    port = free_port()
    with broker(tmp_path_factory.mktemp("broker"), port):
        yield port


def registered(folder: Path, port: int, gateways: list[Gateway], *options: str) -> None:
    """Leave the receiver's session at the broker, so that it keeps what comes meanwhile."""
    receiver = Receiver(folder, port, gateways, *options)
    wait_until(lambda: receiver.has_said("ready"), "the session")
    receiver.stop()


def test_a_fleet_that_comes_back_is_served_by_turns(tmp_path: Path, port: int):
    history, live = plan_cuts(POLLS, PER_BATCH, 1)
    gateways = [Gateway(number, history, live) for number in range(GATEWAYS)]
    receiver = Receiver(tmp_path, port, gateways, "--client-id", "by-turns")
    fleet = Fleet(port, gateways, 2)
    try:
        wait_until(lambda: receiver.has_said("ready"), "the subscription")
        # While the database is held, all that was sent comes to stand in the receiver's queue.
        holder = sqlite3.connect(tmp_path / "cloud.db", isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        for gateway in gateways:
            fleet.send_history(gateway.name)
        for gateway in gateways:
            fleet.send_live(gateway.name)
        fleet.flush()
        wait_until(lambda: receiver.has_said("failing"), "the database is held")
        holder.execute("ROLLBACK")
        total = GATEWAYS * (POLLS // PER_BATCH + 1)
        wait_until(lambda: len(receiver.stored) >= total, "everything is stored")
        assert receiver.memory_mb("VmHWM") < 150
    finally:
        receiver.stop()
        fleet.close()
    holder.close()
    order = [(name, first) for name, first, _, _ in receiver.stored]
    assert len(order) == total == len(set(order))
    lives = [at for at, (_, first) in enumerate(order) if first == POLLS]
    # In order of arrival the first live one would stand behind all history, at 3/4, and the last
    # gateway's first batch of history behind that of all others.
    assert len(lives) == GATEWAYS and lives[-1] < total // 2
    begun = [
        min(at for at, (n, _) in enumerate(order) if n == one.name and at not in lives)
        for one in gateways
    ]
    assert max(begun) < total * 2 // 3
    summary = verify_store(tmp_path / "cloud.db")
    assert summary.ok and {journal.head for journal in summary.journals} == {POLLS}
    assert not any(event["event"] == "quarantined" for event in receiver.others)


def test_one_that_floods_is_slowed_and_delays_nobody(tmp_path: Path, port: int):
    history, live = plan_cuts(POLLS, PER_BATCH, 1)
    gateways = [Gateway(100 + number, history, live) for number in range(10)]
    flooder = Gateway(99, [], [])
    options = ("--client-id", "flooded", "--rate", str(RATE))
    registered(tmp_path, port, [*gateways, flooder], *options)
    fleet = Fleet(port, [*gateways, flooder], 1)
    for number in range(FLOOD):
        fleet.publish(flooder, b"nonsense %d" % number)
    for gateway in gateways:
        fleet.send_live(gateway.name)
        fleet.send_history(gateway.name)
    fleet.flush()
    receiver = Receiver(tmp_path, port, [*gateways, flooder], *options)
    try:
        total = len(gateways) * (POLLS // PER_BATCH + 1)
        wait_until(lambda: len(receiver.stored) >= total, "the others are stored")
        wait_until(lambda: receiver.has_said("over"), "the flood is reported")
    finally:
        receiver.stop()
        fleet.close()
    told = [event for event in receiver.others if event["event"] == "over"]
    assert [(event["code"], event["gateway"]) for event in told] == [
        ("sync.rate", f"fleet/{flooder.name}")
    ]
    db = sqlite3.connect(tmp_path / "cloud.db")
    refused = db.execute("SELECT owner, count(*) FROM quarantine GROUP BY owner").fetchall()
    db.close()
    # Those of its burst, those that waited, and no more.
    assert [owner for owner, _ in refused] == [f"fleet/{flooder.name}"]
    assert refused[0][1] < BURST_S * RATE + 32
