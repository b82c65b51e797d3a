"""More than 500 cuts between gateways and a real Mosquitto: everything arrives, once, unchanged.

The bulk runs on the uploader, its MQTT client and its stream in this process, in hurried time:
the waits between two attempts would otherwise be most of the run. Whole gateway processes take
the rest at their own pace.
"""

import random
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud_sync.verify import verify_store
from edge.app.service import read_settings
from edge.core.errors import SyncError
from edge.ports.linux.tcp import TcpStream
from edge.ports.mqtt_uplink import MQTTUplink
from hil_tests.hurried_gateway import HurriedGateway
from hil_tests.processes import Command
from hil_tests.proxy import Proxy
from hil_tests.site import FACTORY, GATEWAY, KEY, TENANT, Site
from hil_tests.weather import Fate, Weather
from hil_tests.witness import judge_cloud, read_cloud, read_journal
from tests.contract.brokers import HOST, Broker, mosquitto, wait_until

pytestmark = pytest.mark.system

SEED = 20_261_126
BULK_CUTS = 460
CHAIN_CUTS = 44
CHAIN_SITES = 4

#: More would spend the run on packing the same records again after each cut.
DEPTH_MAX = 60

#: Rounds with new polls; each costs a flush of the disk, in which nothing else goes on.
MEASURE_SHARE = 0.2

DRAIN_S = 20.0

WEIGHTS = {"close": 40, "reset": 40, "silence": 1, "stall": 1, "slice": 3, "twice": 4, "swap": 4}

#: What an outage may be called; anything else would be a fault of ours.
OUTAGES = {"sync.offline", "sync.timeout"}


def check_delivery(site: Site) -> int:
    """The cloud has the journal once, byte for byte, and its chain holds; how many records."""
    journal = read_journal(site.journal)
    assert journal.broken is None
    cloud = read_cloud(site.cloud, journal.epoch)
    assert [entry.raw for entry in cloud] == [entry.raw for entry in journal.entries]
    (summary,) = verify_store(site.cloud).journals
    assert summary.ok and summary.missing == 0
    assert summary.records == len(journal.entries) == journal.acked + 1
    return len(journal.entries)


def restart(broker: Broker) -> None:
    """Mosquitto keeps nothing over this: no session, no retained message, nothing queued."""
    broker.stop()
    broker.start()


def test_hundreds_of_cuts_lose_nothing(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    weather = Weather(SEED, WEIGHTS, {"up": 2_500, "down": 300}, 0.03, 0.3)
    restarts = [BULK_CUTS // 3, BULK_CUTS * 2 // 3]
    begun_s = time.monotonic()
    with mosquitto(tmp_path) as broker, Proxy(broker.port, weather) as proxy:
        site = Site(tmp_path, broker.port, FACTORY[3:6])
        with site.run_receiver() as receiver:
            devices = read_settings(site.config)[0].devices
            gateway = HurriedGateway(
                GATEWAY, TENANT, KEY, site.journal, devices, [proxy.port], chance
            )
            while proxy.cuts < BULK_CUTS:
                if gateway.depth < DEPTH_MAX and chance.random() < MEASURE_SHARE:
                    gateway.measure()
                gateway.upload()
                if restarts and proxy.cuts >= restarts[0]:
                    restarts.pop(0)
                    restart(broker)
                assert time.monotonic() < begun_s + 150, proxy.counts
            weather.calm = True
            head = gateway.store.next_seq - 1
            wait_until(lambda: _drained(gateway), f"all up to {head} acked", DRAIN_S)
            gateway.uploader.close()
            gateway.store.close()
            assert receiver.stop()[0] == 0
    records = check_delivery(site)
    took_s = time.monotonic() - begun_s
    print(f"{proxy.cuts} cuts, {records} records in {took_s:.1f} s: {dict(proxy.counts)}")
    assert gateway.codes <= OUTAGES
    assert all(proxy.counts[act] > 0 for act in (*WEIGHTS, "duplicates", "reorders"))
    assert records > 3 * BULK_CUTS


def _drained(gateway: HurriedGateway) -> bool:
    gateway.recorder.commit(gateway.now_ms(), True)
    gateway.upload()
    return gateway.depth == 0


class Chain:
    """A whole gateway process with everything around it."""

    def __init__(self, stack: ExitStack, folder: Path, number: int) -> None:
        folder.mkdir()
        self.weather = Weather(
            SEED + number, WEIGHTS | {"silence": 0}, {"up": 3_000, "down": 400}, 0.25, 0.5
        )
        self.broker = stack.enter_context(mosquitto(folder))
        self.proxy = stack.enter_context(Proxy(self.broker.port, self.weather))
        self.site = Site(folder, self.broker.port, FACTORY[number * 2 : number * 2 + 2], 300)
        self.site.document["uplink"]["broker"] = f"mqtt://{HOST}:{self.proxy.port}"
        self.site.document["uplink"]["keepalive_s"] = 5
        self.site.write()
        stack.enter_context(self.site.emulator())
        self.receiver = stack.enter_context(self.site.run_receiver())
        self.gateway: Command = stack.enter_context(self.site.run_gateway())

    def finish(self) -> None:
        """Fair weather; everything is delivered and both processes end well."""
        self.weather.calm = True
        head = self.gateway.events[-1]["journal"]["head_seq"]
        self.gateway.wait_status(lambda e: e["journal"]["acked_seq"] > head, "acked", DRAIN_S)
        assert self.gateway.stop()[0] == 0
        assert self.gateway.events[-1]["journal"]["depth"] == 0
        assert self.receiver.stop()[0] == 0


def test_cuts_of_whole_gateways_lose_nothing(tmp_path: Path) -> None:
    with ExitStack() as stack:
        chains = [Chain(stack, tmp_path / f"site{n}", n) for n in range(CHAIN_SITES)]
        _wait_for_cuts(chains, CHAIN_CUTS // 2)
        for chain in chains:
            restart(chain.broker)
        _wait_for_cuts(chains, CHAIN_CUTS)
        for chain in chains:
            chain.finish()
    for chain in chains:
        records = check_delivery(chain.site)
        findings = judge_cloud(chain.site.cloud, chain.site.ledger)
        print(
            f"{chain.proxy.cuts} cuts, {records} records, {dict(chain.proxy.counts)}, {findings}"
        )
        assert findings.wrong == []
        # On a busy machine a reply may come too late to be believed.
        assert sum(findings.unheard.values()) <= findings.polls // 20
        assert findings.good > 100
        codes = {code for code, _ in read_journal(chain.site.journal).events()}
        assert {c for c in codes if c.startswith(("sync", "store"))} <= OUTAGES


def _wait_for_cuts(chains: list[Chain], count: int) -> None:
    wait_until(lambda: sum(c.proxy.cuts for c in chains) >= count, f"{count} cuts", 120)


def test_a_half_open_link_is_found_in_one_and_a_half_keepalives(tmp_path: Path) -> None:
    """Silence after any number of bytes, from the first CONNECT on; keepalive in real time."""
    keepalive_s = 1
    chance = random.Random(SEED)
    silences = [Fate("silence", "up", 1), Fate("silence", "down", 2)]
    silences += [Fate("silence", chance.choice(("up", "down")), 0, 0.3) for _ in range(4)]
    with mosquitto(tmp_path) as broker, Proxy(broker.port, silences.__getitem__) as proxy:
        uplinks = [
            MQTTUplink(
                f"half-{number}",
                HOST,
                TcpStream(),
                lambda: time.monotonic_ns() // 1_000_000,
                proxy.port,
                keepalive=keepalive_s,
                timeout_ms=1500,
            )
            for number in range(len(silences))
        ]
        for uplink in uplinks:
            uplink.start()
        wait_until(lambda: _are_over(uplinks), "all are found", 5)
        wait_until(lambda: len(proxy.silences_s) == len(silences), "all are closed")
    print(f"found after {[round(s, 2) for s in proxy.silences_s]} s of silence")
    assert max(proxy.silences_s) <= 1.5 * keepalive_s + 0.25
    assert proxy.counts["silence"] == proxy.cuts == len(silences)


def _are_over(uplinks: list[MQTTUplink]) -> bool:
    found = [_is_over(uplink) for uplink in uplinks]  # each one has to be stepped
    return all(found)


def _is_over(uplink: MQTTUplink) -> bool:
    try:
        if uplink.state != "offline":
            uplink.check_msg()
    except SyncError as error:
        assert error.code == "sync.timeout"
    return uplink.state == "offline"
