"""Gateways in hurried time, each with a journal of its own, and the cloud compared with them."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg

from edge.app.service import read_settings
from hil_tests.hurried_gateway import HurriedGateway
from hil_tests.site import FACTORY, TENANT, Site, write_secret
from hil_tests.witness import Entry, decode_entry, read_cloud, read_journal

SEED = 20_261_127
GATEWAYS = 12

#: Gateway seconds in one of ours: what is lost with a server is sent again after a second.
HURRY = 20

DEPTH_MAX = 60


class Fleet:
    """All gateways, stepped in turn. ports: of the brokers, at least one."""

    def __init__(self, folder: Path, ports: Sequence[int]) -> None:
        self.chance = random.Random(SEED)
        site = Site(folder, ports[0], FACTORY[:3])
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
                [*ports[n % len(ports) :], *ports[: n % len(ports)]],
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

    @property
    def is_acked(self) -> bool:
        """Every gateway has had an acknowledgement."""
        return all(gateway.store.acked_seq >= 0 for gateway in self.gateways)

    def is_drained(self) -> bool:
        self.step(is_measuring=False)
        for gateway in self.gateways:
            gateway.recorder.commit(gateway.now_ms(), True)
        return all(gateway.depth == 0 for gateway in self.gateways)

    def close(self) -> None:
        for gateway in self.gateways:
            gateway.uploader.close()
            gateway.store.close()


def check_gateway(store: str, path: Path) -> int:
    """The cloud has this journal once, byte for byte; how many records."""
    journal = read_journal(path)
    assert journal.broken is None
    stored = read_store(store, journal.epoch)
    assert [entry.raw for entry in stored] == [entry.raw for entry in journal.entries]
    return len(stored)


def read_store(store: str, epoch: bytes) -> list[Entry]:
    """Every record of one journal in the cloud, duplicates included if any."""
    if store.startswith("sqlite:///"):
        return read_cloud(Path(store.removeprefix("sqlite:///")), epoch)
    with psycopg.connect(store) as db:
        rows = db.execute(
            "SELECT r.body FROM records r JOIN journals j ON j.id = r.journal"
            " WHERE j.epoch = %s ORDER BY r.seq",
            (epoch,),
        ).fetchall()
    return [decode_entry(row[0]) for row in rows]
