"""`bench timescale`: a store with partitions and one with hypertables, side by side on one server.

Batches as in `bench cloud`, then what a reading costs and how long two questions take.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median

from hil_tests.bench import cloud, cloud_storage
from hil_tests.bench.measure import Figure
from hil_tests.postgres_server import RECEIVER, Server, TimescaleServer, running


def run(rounds: int) -> Iterator[Figure]:
    """Rates in turns, `rounds` times; then storage, once for each."""
    cuts = cloud.make_cuts()
    with (
        tempfile.TemporaryDirectory() as name,
        running(*cloud.SERVER, kind=TimescaleServer) as server,
    ):
        makers = {"partitions": lambda: _plain(server), "hypertables": server.create}
        rates: dict[str, list[float]] = {layout: [] for layout in makers}
        for number in range(rounds):
            for layout, make in makers.items():
                folder = Path(name) / f"{layout}-{number}"
                folder.mkdir()
                rates[layout].append(cloud.receive(folder, cuts, make(), []))
        for layout, found in rates.items():
            note = "receive through Mosquitto, acknowledged"
            yield Figure(f"{layout}_readings_per_s", median(found), "1/s", note)
        for layout, make in makers.items():
            for figure in cloud_storage.run(make()):
                yield replace(figure, name=f"{layout}_{figure.name}")


def _plain(server: Server) -> str:
    """A database of the same role on the same server, without the extension."""
    url = Server.create(server)
    name = url.partition("@/")[2].partition("?")[0]
    server.execute(f"ALTER DATABASE {name} OWNER TO {RECEIVER}")
    return server.url(name, RECEIVER)
