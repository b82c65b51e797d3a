"""The processes of the demonstration: the same commands that a user would type, wired together."""

import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.core.errors import TallyError

GATEWAY_TOML = Path(__file__).with_name("gateway.toml")

_TEMPLATE_BROKER = "mqtt://127.0.0.1:1883"
_STOP_S = 10.0
_READY_S = 20.0


def write_site(folder: Path, port: int) -> None:
    """Write gateway.toml, the device key and the receiver's key file."""
    key = secrets.token_hex(32)
    text = GATEWAY_TOML.read_text("utf-8").replace(_TEMPLATE_BROKER, f"mqtt://127.0.0.1:{port}")
    (folder / "gateway.toml").write_text(text, "utf-8")
    for name, content in (
        ("device.key", key + "\n"),
        ("keys.toml", f'[demo.factory-1]\nkey = "{key}"\n'),
    ):
        descriptor = os.open(folder / name, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(content)


class Actor:
    """One `carbontally` command as a process whose NDJSON lines are read as they come.

    It runs in a session of its own, so that Ctrl-C reaches only the demonstration, which then
    stops each actor in the right order.
    """

    def __init__(self, name: str, arguments: list[str], folder: Path) -> None:
        self.name = name
        self.last: dict[str, Any] = {}
        self.errors: deque[str] = deque(maxlen=20)
        self._ready = threading.Event()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "edge", *arguments],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._readers = [
            threading.Thread(target=self._read_events, name=name),
            threading.Thread(target=self._read_errors, name=name + " errors"),
        ]
        for reader in self._readers:
            reader.start()

    def _read_events(self) -> None:
        for line in self._process.stdout or ():
            event = json.loads(line)
            if event["event"] in ("ready", "status", "stopped"):
                self.last = event
                self._ready.set()
        self._ready.set()

    def _read_errors(self) -> None:
        for line in self._process.stderr or ():
            self.errors.append(line.rstrip())

    def wait_ready(self) -> None:
        """Wait for the first event; raise TallyError when the process ended instead."""
        self._ready.wait(_READY_S)
        self.check()
        if not self.last:
            raise TallyError("demo.silent", name=self.name, seconds=int(_READY_S))

    def check(self) -> None:
        """Raise TallyError "demo.process" when the process has ended by itself."""
        if self._process.poll() is not None:
            raise self._failure(" ".join(self.errors))

    def _failure(self, reason: str) -> TallyError:
        status = self._process.returncode
        return TallyError("demo.process", name=self.name, status=status, reason=reason)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL for one that does not listen."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        for reader in self._readers:
            reader.join()


class Stage:
    """Emulator, receiver and gateway, started in this order and stopped in reverse."""

    def __init__(self, folder: Path, port: int, speed: int, start: str) -> None:
        self._actors: list[Actor] = []
        try:
            self._start(
                "emulator",
                ["emulate", "--json", "--link-dir", str(folder), "--speed", str(speed)]
                + ["--ledger", str(folder / "ledger.db"), "--start", start],
                folder,
            )
            self._start(
                "receiver",
                ["receive", "--json", "--broker", f"mqtt://127.0.0.1:{port}"]
                + ["--store", f"sqlite:///{folder / 'cloud.db'}"]
                + ["--keys", str(folder / "keys.toml")],
                folder,
            )
            self.gateway = self._start(
                "gateway", ["run", "--json", "-c", str(folder / "gateway.toml")], folder
            )
        except BaseException:
            self.stop()
            raise

    def _start(self, name: str, arguments: list[str], folder: Path) -> Actor:
        actor = Actor(name, arguments, folder)
        self._actors.append(actor)
        actor.wait_ready()
        return actor

    def check(self) -> None:
        """Raise TallyError when an actor has ended by itself."""
        for actor in self._actors:
            actor.check()

    def stop(self, between: Callable[[], None] = lambda: None) -> None:
        """Stop the gateway first, so that it drains, then the others; `between` before each."""
        for actor in reversed(self._actors):
            between()
            actor.stop()
