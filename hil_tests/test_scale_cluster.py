"""Gateways, a NATS cluster and several receivers: servers and receivers fall, nothing is lost.

Every gateway keeps its own journal; at the end the cloud has each of them once, byte for byte.
"""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from edge.app.service import read_settings
from hil_tests.hurried_gateway import HurriedGateway
from hil_tests.nats_cluster import PARTITIONS, Cluster, nats_cluster
from hil_tests.processes import Command
from hil_tests.site import FACTORY, TENANT, Site, write_secret
from hil_tests.witness import read_cloud, read_journal
from tests.contract.brokers import wait_until

pytestmark = pytest.mark.system

SEED = 20_261_127
GATEWAYS = 12
RECEIVERS = 3

#: Gateway seconds in one of ours: what is lost with a server is sent again after a second.
HURRY = 20

DEPTH_MAX = 60
DRAIN_S = 60.0


class Fleet:
    """All gateways, stepped in turn."""

    def __init__(self, folder: Path, cluster: Cluster) -> None:
        self.chance = random.Random(SEED)
        site = Site(folder, cluster.mqtt_ports[0], FACTORY[:3])
        devices = read_settings(site.config)[0].devices
        keys = {f"gw-{n}": bytes([n]) * 32 for n in range(GATEWAYS)}
        self.keys = folder / "fleet.toml"
        lines = [f'[{TENANT}.{name}]\nkey = "{key.hex()}"\n' for name, key in keys.items()]
        write_secret(self.keys, "".join(lines))
        self.journals = {name: folder / f"{name}.db" for name in keys}
        self.gateways = [
            HurriedGateway(
                name,
                TENANT,
                key,
                self.journals[name],
                devices,
                cluster.mqtt_ports[n % 3 :] + cluster.mqtt_ports[: n % 3],
                random.Random(SEED + n),
                HURRY,
            )
            for n, (name, key) in enumerate(keys.items())
        ]

    def step(self, is_measuring: bool = True) -> None:
        """One step of each gateway."""
        for gateway in self.gateways:
            if is_measuring and gateway.depth < DEPTH_MAX and self.chance.random() < 0.1:
                gateway.measure()
            gateway.upload(0)
        time.sleep(0.002)  # the machine is for the others, too

    def run(self, seconds: float) -> None:
        """Step for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self.step()

    def is_drained(self) -> bool:
        self.step(is_measuring=False)
        for gateway in self.gateways:
            gateway.recorder.commit(gateway.now_ms(), True)
        return all(gateway.depth == 0 for gateway in self.gateways)

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.uploader.close()
            gateway.store.close()


class Receivers:
    """Several `receive` on one stream and one store."""

    def __init__(self, folder: Path, cluster: Cluster, keys: Path, stack: ExitStack) -> None:
        self.cloud = folder / "cloud.db"
        self.arguments = ["receive", "--broker", cluster.broker, "--stream", cluster.stream]
        self.arguments += ["--partitions", str(PARTITIONS), "--keys", str(keys), "--json"]
        self.arguments += ["--store", f"sqlite:///{self.cloud}"]
        self.folder, self.stack = folder, stack
        self.running = [self.start(n) for n in range(RECEIVERS)]

    def start(self, number: int) -> Command:
        log = self.folder / f"receiver-{number}.log"
        return self.stack.enter_context(Command(self.arguments, log))

    def replace(self, number: int) -> None:
        """kill -9 of one, and another in its place."""
        self.running[number].kill()
        self.running[number] = self.start(number)


def trouble(cluster: Cluster, receivers: Receivers) -> Iterator[str]:
    """One fault after the other; the caller lets time pass between."""
    for round_ in range(2):
        receivers.replace(round_)
        yield "receiver killed"
        victim = cluster.nodes[round_]
        victim.kill()
        yield "server killed"
        receivers.replace(round_ + 1)
        yield "receiver killed with a server away"
        victim.start()
        yield "server back"
        other = cluster.nodes[2 - round_]
        other.pause()
        yield "server paused"
        receivers.replace(round_)
        yield "receiver killed with a server paused"
        other.resume()
        yield "server resumed"


def test_servers_and_receivers_fall_and_nothing_is_lost(tmp_path: Path) -> None:
    with ExitStack() as stack:
        cluster = stack.enter_context(nats_cluster(tmp_path))
        fleet = Fleet(tmp_path, cluster)
        receivers = Receivers(tmp_path, cluster, fleet.keys, stack)
        wait_until(lambda: (fleet.step(), _acked(fleet))[1], "all gateways are acknowledged", 60)
        faults = 0
        for _ in trouble(cluster, receivers):
            faults += 1
            fleet.run(2.0)
        begun_s = time.monotonic()
        wait_until(fleet.is_drained, "everything is acknowledged", DRAIN_S)
        drained_s = time.monotonic() - begun_s
        fleet.close()
        for receiver in receivers.running:
            assert receiver.stop()[0] == 0, receiver.errors
    records = sum(check_gateway(receivers.cloud, journal) for journal in fleet.journals.values())
    print(f"{faults} faults, {GATEWAYS} gateways, {records} records, drained in {drained_s:.1f} s")
    summary = verify_store(receivers.cloud)
    assert len(summary.journals) == GATEWAYS and summary.ok
    assert all(journal.missing == 0 for journal in summary.journals)


def _acked(fleet: Fleet) -> bool:
    return all(gateway.store.acked_seq >= 0 for gateway in fleet.gateways)


def check_gateway(cloud: Path, path: Path) -> int:
    """The cloud has this journal once, byte for byte; how many records."""
    journal = read_journal(path)
    assert journal.broken is None
    stored = read_cloud(cloud, journal.epoch)
    assert [entry.raw for entry in stored] == [entry.raw for entry in journal.entries]
    return len(stored)
