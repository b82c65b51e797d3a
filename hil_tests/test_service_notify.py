"""A gateway process under a service manager's eyes: the messages, and when they cease."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hil_tests.site import FACTORY, Site
from tests.contract.brokers import free_port, wait_until

WATCHDOG_S = 2.0


class Manager:
    """systemd's end: every datagram with the time it came."""

    def __init__(self, path: Path) -> None:
        self.heard: list[tuple[float, str]] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while (message := self._socket.recv(4096).decode()) != "END":
            self.heard.append((time.monotonic(), message))

    def times(self, message: str) -> list[float]:
        return [at_s for at_s, text in list(self.heard) if text == message]

    def said(self) -> list[str]:
        return [text for _, text in list(self.heard)]

    def close(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as voice:
            voice.sendto(b"END", self._socket.getsockname())
        self._thread.join(10)
        self._socket.close()


@contextmanager
def managed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """What is started inside has a service manager and a watchdog of WATCHDOG_S."""
    manager = Manager(folder / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(folder / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG_S * 1_000_000)))
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    try:
        yield manager
    finally:
        manager.close()


def test_ready_fed_and_stopping(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path, free_port(), FACTORY[3:5], poll_ms=200)
    with managed(tmp_path, monkeypatch) as manager, site.emulator():
        with site.run_gateway() as gateway:
            wait_until(lambda: len(manager.times("WATCHDOG=1")) > 4, "it is fed")
            assert gateway.stop()[0] == 0
        wait_until(lambda: "STOPPING=1" in manager.said(), "it says that it stops")
    said = manager.said()
    assert said[0] == "READY=1" and said.count("READY=1") == said.count("STOPPING=1") == 1
    fed_s = manager.times("WATCHDOG=1")
    gaps_s = [later - sooner for sooner, later in zip(fed_s, fed_s[1:], strict=False)]
    print(f"fed every {min(gaps_s):.2f} to {max(gaps_s):.2f} s")
    assert max(gaps_s) < WATCHDOG_S and min(gaps_s) > WATCHDOG_S / 8
    lines = [text for text in said if text.startswith("STATUS=")]
    assert any("records to send; uplink " in line and "sync.offline" in line for line in lines)


def test_a_poller_that_stands_still_is_not_fed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One transaction that takes three times what the watchdog allows; then all is well again."""
    site = Site(tmp_path, free_port(), FACTORY[3:4], poll_ms=200)
    site.document["bus"][0]["reply_timeout_ms"] = 6_000
    site.write()
    silence = ["silent = true"]
    with (
        managed(tmp_path, monkeypatch) as manager,
        site.emulator(silence) as emulator,
        site.run_gateway() as gateway,
    ):
        wait_until(lambda: emulator.summary()["bus1"]["unanswered"], "a request is under way")
        begun_s = time.monotonic()
        wait_until(
            lambda: any("no progress: bus bus1" in text for text in manager.said()),
            "it says that it stands still",
        )
        wait_until(
            lambda: [t for t in manager.times("WATCHDOG=1") if t > begun_s + 5],
            "it is fed again when the transaction has ended",
        )
        assert gateway.process.poll() is None
    fed_s = [t for t in manager.times("WATCHDOG=1") if t > begun_s]
    gap_s = max(later - sooner for sooner, later in zip(fed_s, fed_s[1:], strict=False))
    print(f"not fed for {gap_s:.1f} s")
    assert gap_s > 2 * WATCHDOG_S, "systemd would have restarted it"


def test_a_process_that_is_stopped_is_not_fed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, free_port(), FACTORY[3:4], poll_ms=200)
    with (
        managed(tmp_path, monkeypatch) as manager,
        site.emulator(),
        site.run_gateway() as gateway,
    ):
        wait_until(lambda: manager.times("WATCHDOG=1"), "it is fed")
        gateway.process.send_signal(signal.SIGSTOP)
        wait_until(lambda: _state(gateway.process.pid) == "T", "it stands")
        count = len(manager.times("WATCHDOG=1"))
        after_s = time.monotonic() + WATCHDOG_S
        wait_until(lambda: time.monotonic() > after_s, "the watchdog's time passes")
        assert len(manager.times("WATCHDOG=1")) == count
        gateway.process.send_signal(signal.SIGCONT)
        wait_until(lambda: len(manager.times("WATCHDOG=1")) > count, "it is fed again")
        assert gateway.stop()[0] == 0


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def test_a_configuration_that_cannot_be_used_is_never_ready(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(tmp_path, free_port(), FACTORY[3:4])
    site.document["device"][0]["profile"] = "no_such"
    site.write()
    with managed(tmp_path, monkeypatch) as manager, site.run_gateway() as gateway:
        assert gateway.wait_end() == 78, "RestartPreventExitStatus of the unit"
    assert manager.said() == []
