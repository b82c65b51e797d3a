"""The project's own commands as processes, for tests: their events, their errors, their end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from tests.contract.brokers import wait_until

ROOT = Path(__file__).parents[1]

#: One NDJSON line.
Event = dict[str, Any]

DEADLINE_S = 60.0


class Command:
    """A verb of `carbontally`, started at once, in an interpreter of its own.

    events: the JSON objects on its standard output so far; garbled: lines there that are none.
    log: the file that takes its standard error, appended to.
    """

    def __init__(self, arguments: Sequence[str], log: Path) -> None:
        self.log = log
        self.events: list[Event] = []
        self.garbled: list[str] = []
        environment = {**os.environ, "CARBONTALLY_LANG": "en"}
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "edge", *arguments],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
            )
        self._reader = threading.Thread(target=self._read, name=arguments[0], daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                event = None
            if isinstance(event, dict):
                self.events.append(event)
            else:
                self.garbled.append(line)

    def __enter__(self) -> "Command":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def errors(self) -> str:
        """What it has written to standard error."""
        return self.log.read_text(errors="replace")

    def wait_for(
        self,
        condition: Callable[[Event], object],
        what: str,
        after: int = 0,
        deadline_s: float = DEADLINE_S,
    ) -> Event:
        """The first event, from number `after` on, that satisfies; fails if it ends before."""
        found: list[Event] = []
        checked = after

        def look() -> bool:
            nonlocal checked
            has_ended = self.process.poll() is not None and not self._reader.is_alive()
            while not found and checked < len(self.events):
                event = self.events[checked]
                checked += 1
                if condition(event):
                    found.append(event)
            assert found or not has_ended, f"it ended before: {what}\n{self.errors[-2000:]}"
            return bool(found)

        wait_until(look, what, deadline_s)
        return found[0]

    def wait_status(
        self, condition: Callable[[Event], object], what: str, deadline_s: float = DEADLINE_S
    ) -> Event:
        """The first status from now on that satisfies."""
        return self.wait_for(
            lambda event: event["event"] == "status" and condition(event),
            what,
            len(self.events),
            deadline_s,
        )

    def wait_end(self, deadline_s: float = DEADLINE_S) -> int:
        """Wait until it has ended by itself and all its output is here; its exit status."""
        status = self.process.wait(deadline_s)
        self._reader.join(deadline_s)
        return status

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Ask it to stop; (exit status, seconds it took)."""
        before_s = time.monotonic()
        self.process.send_signal(number)
        status = self.wait_end()
        return status, time.monotonic() - before_s

    def kill(self) -> None:
        """kill -9, unless it has ended; returns when it is gone."""
        if self.process.poll() is None:
            self.process.kill()
        self.wait_end()


def stations_of(status: Event) -> dict[str, Event]:
    """The devices of a gateway's status by name."""
    return {device["name"]: device for device in status["devices"]}
