"""A cluster of real NATS servers on loopback, each with JetStream and MQTT, of its own process."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from hil_tests.micropython.prerequisite import require_command
from tests.contract.brokers import HOST, Broker, free_port, running

#: The partitions as the product's documents have them; the servers read this very file.
PARTITIONS_FILE = Path(__file__).parents[1] / "docs" / "examples" / "nats-partitions.conf"
PARTITIONS = 16


class Node(Broker):
    """One server. port: of MQTT; client_port: of NATS itself."""

    def __init__(self, folder: Path, number: int, ports: tuple[int, int, int], routes: str):
        self.port, self.client_port, cluster_port = ports
        name = f"tally-{number}"
        config = folder / f"{name}.conf"
        config.write_text(
            f"server_name: {name}\n"
            f"listen: {HOST}:{self.client_port}\n"
            f"jetstream {{ store_dir: {folder / name}, max_file_store: 1G }}\n"
            f"mqtt {{ listen: {HOST}:{self.port} }}\n"
            f"cluster {{ name: tally, listen: {HOST}:{cluster_port}, routes: [{routes}] }}\n"
            f"include ./{PARTITIONS_FILE.name}\n"
        )
        command = [require_command("nats-server"), "-c", str(config)]
        super().__init__(command, self.port, folder / f"{name}.log")

    def _signal(self, number: int) -> None:
        assert self.process is not None
        os.kill(self.process.pid, number)

    def kill(self) -> None:
        """End it as a power cut does."""
        self._signal(signal.SIGKILL)
        assert self.process is not None
        self.process.wait()
        self.process = None

    def pause(self) -> None:
        """It answers nobody, and keeps all its connections."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on."""
        self._signal(signal.SIGCONT)


class Cluster:
    """Three servers, of which two are a majority."""

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def mqtt_ports(self) -> list[int]:
        return [node.port for node in self.nodes]

    @property
    def broker(self) -> str:
        return "mqtt://" + ",".join(f"{HOST}:{port}" for port in self.mqtt_ports)

    @property
    def stream(self) -> str:
        return "nats://" + ",".join(f"{HOST}:{node.client_port}" for node in self.nodes)


@contextmanager
def nats_cluster(folder: Path, size: int = 3) -> Iterator[Cluster]:
    """Start the servers; stop them, paused ones too."""
    (folder / PARTITIONS_FILE.name).write_text(PARTITIONS_FILE.read_text())
    ports = [(free_port(), free_port(), free_port()) for _ in range(size)]
    routes = ", ".join(f"nats://{HOST}:{cluster_port}" for *_, cluster_port in ports)
    nodes = [Node(folder, n, ports[n], routes) for n in range(size)]
    with ExitStack() as stack:
        for node in nodes:
            stack.enter_context(running(node))
        yield Cluster(nodes)
        for node in nodes:
            if node.process is not None:
                node.resume()
