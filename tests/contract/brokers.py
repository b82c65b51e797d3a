"""Real brokers for tests, as processes on 127.0.0.1, and a scripted one that misbehaves on cue.

`mosquitto` and `amqtt` yield a `Broker`: its `port` stays the same over `stop` and `start`.
`scripted` yields the port of a listener that runs a function for each connection.
"""

import json
import os
import pwd
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from hil_tests.micropython.prerequisite import require_command

HOST = "127.0.0.1"
DEADLINE_S = 60.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], object], what: str, deadline_s: float = DEADLINE_S) -> None:
    """Wait for a condition, asking every 5 ms; fail with `what` at the deadline."""
    end_s = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end_s, f"not in {deadline_s} s: {what}"
        time.sleep(0.005)


class Broker:
    """A broker process that listens on `port`; its output is in `log`."""

    def __init__(self, command: Sequence[str], port: int, log: Path) -> None:
        self.command = command
        self.port = port
        self.log = log
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process and wait until it accepts connections."""
        assert self.process is None, "already started"
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(self.command, stdout=output, stderr=output)
        wait_until(self._accepts, f"{self.command[0]} accepts connections")

    def _accepts(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex((HOST, self.port)) == 0

    def stop(self) -> None:
        """End the process, by its pid, and wait for that; nothing if it is not running."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        self.process = None


@contextmanager
def running(broker: Broker) -> Iterator[Broker]:
    """Start the broker, yield it, stop it."""
    try:
        broker.start()
        yield broker
    finally:
        broker.stop()


@contextmanager
def mosquitto(
    tmp_path: Path,
    port: int | None = None,
    users: dict[str, str] | None = None,
    **options: object,
) -> Iterator[Broker]:
    """Run Mosquitto.

    users: name -> password; anonymous clients are let in only without it.
    options: lines of mosquitto.conf, such as max_packet_size=1000 or certfile=path.
    """
    command = require_command("mosquitto")
    port = port or free_port()
    lines = [f"listener {port} {HOST}", f"allow_anonymous {'false' if users else 'true'}"]
    if os.geteuid() == 0:
        # Else it gives up root for a user that cannot read the test's files.
        lines.insert(0, f"user {pwd.getpwuid(0).pw_name}")
    if users:
        passwords = tmp_path / f"passwords-{port}"
        passwords.write_text("".join(f"{name}:{users[name]}\n" for name in users))
        subprocess.run([require_command("mosquitto_passwd"), "-U", str(passwords)], check=True)
        lines.append(f"password_file {passwords}")
    lines.extend(f"{name} {value}" for name, value in options.items())
    config = tmp_path / f"mosquitto-{port}.conf"
    config.write_text("\n".join(lines) + "\n")
    log = tmp_path / f"mosquitto-{port}.log"
    with running(Broker([command, "-v", "-c", str(config)], port, log)) as broker:
        yield broker


@contextmanager
def amqtt(tmp_path: Path, port: int | None = None) -> Iterator[Broker]:
    """Run amqtt; it refuses subscriptions to the topic "prohibited"."""
    port = port or free_port()
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
        "plugins": {
            "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True},
            "amqtt.plugins.topic_checking.TopicTabooPlugin": {},
        },
    }
    # JSON is YAML, which is what amqtt reads.
    path = tmp_path / f"amqtt-{port}.yaml"
    path.write_text(json.dumps(config))
    command = [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(path)]
    with running(Broker(command, port, tmp_path / f"amqtt-{port}.log")) as broker:
        yield broker


class Peer:
    """The broker's end of one connection, with a packet reader of its own."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def read_packet(self) -> bytes:
        """Return one whole packet; raises ConnectionError when the client has gone."""
        packet = self._read(2)
        length, shift = packet[1] & 0x7F, 7
        while packet[-1] & 0x80:
            packet += self._read(1)
            length |= (packet[-1] & 0x7F) << shift
            shift += 7
        return packet + self._read(length)

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self.connection.recv(size - len(data))
            if not more:
                raise ConnectionError("the client has gone")
            data += more
        return data

    def send(self, data: bytes, piece: int = 0) -> None:
        """Send at once, or in pieces that travel in segments of their own."""
        for at in range(0, len(data), piece or len(data) or 1):
            self.connection.sendall(data[at : at + (piece or len(data))])

    def accept(self) -> None:
        """Read CONNECT and let the client in."""
        assert self.read_packet()[0] == 0x10
        self.send(b"\x20\x02\x00\x00")

    def fall_silent(self) -> None:
        """Answer nothing any more, until the client closes."""
        while self.connection.recv(65536):
            pass


@contextmanager
def scripted(script: Callable[[Peer], None]) -> Iterator[int]:
    """Listen, run `script(peer)` for each connection in turn, close it after; yield the port."""
    failures: list[BaseException] = []
    current: list[socket.socket] = []
    with socket.create_server((HOST, 0)) as listener:
        port = int(listener.getsockname()[1])
        is_over = threading.Event()

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if is_over.is_set():
                        return
                    current[:] = [connection]
                    connection.settimeout(DEADLINE_S)
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    try:
                        script(Peer(connection))
                    except (ConnectionError, TimeoutError):
                        pass
                    except BaseException as error:
                        failures.append(error)

        thread = threading.Thread(target=serve, name="scripted-broker", daemon=True)
        thread.start()
        try:
            yield port
        finally:
            is_over.set()
            with suppress(OSError, IndexError):
                current[-1].shutdown(socket.SHUT_RDWR)
            with socket.create_connection((HOST, port), DEADLINE_S):
                thread.join(DEADLINE_S)
            assert not thread.is_alive(), "the script still waits"
    assert not failures, failures
