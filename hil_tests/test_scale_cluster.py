"""Gateways, a NATS cluster and several receivers: servers and receivers fall, nothing is lost.

Every gateway keeps its own journal; at the end the cloud has each of them once, byte for byte.
Behind the receivers is a SQLite file, or a PostgreSQL server that falls as well.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud_sync.store.address import parse_address
from cloud_sync.verify import verify_store
from hil_tests.hurried_fleet import GATEWAYS, Fleet, check_gateway
from hil_tests.nats_cluster import PARTITIONS, Cluster, nats_cluster
from hil_tests.postgres_server import Server
from hil_tests.postgres_server import running as running_postgres
from hil_tests.processes import Command
from tests.contract.brokers import wait_until

pytestmark = pytest.mark.system

RECEIVERS = 3
DRAIN_S = 60.0


class Receivers:
    """Several `receive` on one stream and one store."""

    def __init__(
        self, folder: Path, cluster: Cluster, keys: Path, store: str, stack: ExitStack
    ) -> None:
        self.arguments = ["receive", "--broker", cluster.broker, "--stream", cluster.stream]
        self.arguments += ["--partitions", str(PARTITIONS), "--keys", str(keys), "--json"]
        self.arguments += ["--store", store]
        self.folder, self.stack = folder, stack
        self.running = [self.start(n) for n in range(RECEIVERS)]

    def start(self, number: int) -> Command:
        log = self.folder / f"receiver-{number}.log"
        return self.stack.enter_context(Command(self.arguments, log))

    def replace(self, number: int) -> None:
        """kill -9 of one, and another in its place."""
        self.running[number].kill()
        self.running[number] = self.start(number)


def trouble(cluster: Cluster, receivers: Receivers, first: int) -> Iterator[float]:
    """One fault after the other, and for how many seconds. first: which node falls first."""
    receivers.replace(first)
    yield 1.0
    victim = cluster.nodes[first]
    victim.kill()
    yield 1.5
    receivers.replace(first + 1)
    yield 1.0
    victim.start()
    yield 1.0
    other = cluster.nodes[2 - first]
    other.pause()
    yield 1.5
    receivers.replace(first)
    yield 1.0
    other.resume()
    yield 1.0


def trouble_below(database: Server, receivers: Receivers) -> Iterator[float]:
    """The database goes as in a power cut, and a receiver after it; seconds as above."""
    database.stop("immediate")
    yield 1.0
    receivers.running[0].kill()
    yield 0.5
    database.start()
    receivers.running[0] = receivers.start(0)
    yield 1.0


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_servers_and_receivers_fall_and_nothing_is_lost(tmp_path: Path, kind: str) -> None:
    with ExitStack() as stack:
        database = None
        store = f"sqlite:///{tmp_path / 'cloud.db'}"
        if kind == "postgresql":
            database = stack.enter_context(running_postgres("synchronous_commit=on"))
            store = database.create()
        cluster = stack.enter_context(nats_cluster(tmp_path))
        fleet = Fleet(tmp_path, cluster.mqtt_ports)
        receivers = Receivers(tmp_path, cluster, fleet.keys, store, stack)
        wait_until(lambda: (fleet.step(), fleet.is_acked)[1], "all gateways are acknowledged", 60)
        faults = 0
        for seconds in trouble(cluster, receivers, first=0 if database is None else 1):
            faults += 1
            fleet.run(seconds)
        for seconds in trouble_below(database, receivers) if database else ():
            faults += 1
            fleet.run(seconds)
        begun_s = time.monotonic()
        wait_until(fleet.is_drained, "everything is acknowledged", DRAIN_S)
        drained_s = time.monotonic() - begun_s
        fleet.close()
        for receiver in receivers.running:
            assert receiver.stop()[0] == 0, receiver.errors
        records = sum(check_gateway(store, path) for path in fleet.journals.values())
        print(f"{faults} faults, {records} records, drained in {drained_s:.1f} s")
        summary = verify_store(parse_address(store))
    assert len(summary.journals) == GATEWAYS and summary.ok
    assert all(journal.missing == 0 for journal in summary.journals)
