"""`bench fleet`: 1,000 gateways come back after a day without a broker, and go on measuring.

Real Mosquitto, a real `carbontally receive` process on SQLite and then on PostgreSQL, and the
batches over real MQTT, 250 gateways on one connection. How late live records are while the backlog
is drained, how fast that is, and what memory the receiver takes.
"""

import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

from hil_tests.bench.cloud import SERVER
from hil_tests.bench.measure import Figure
from hil_tests.fleet import (
    POINTS,
    Fleet,
    Gateway,
    Receiver,
    broker,
    free_port,
    plan_cuts,
    wait_until,
)
from hil_tests.postgres_server import running

GATEWAYS = 1_000
CONNECTIONS = 4

#: A poll a minute for a day, cut into batches of 1,440 readings.
POLLS, POLLS_PER_BATCH = 1_440, 288

#: Seconds between two live batches of one gateway, and how long all may take.
LIVE_S = 30
DEADLINE_S = 600


def run(rounds: int) -> list[Figure]:
    """One outage and its end for each database, whatever `rounds`: it takes minutes."""
    figures = _outage("", ())
    with running(*SERVER) as server:
        return figures + _outage("postgres_", ("--store", server.create()))


def _outage(prefix: str, options: tuple[str, ...]) -> list[Figure]:
    history, live = plan_cuts(POLLS, POLLS_PER_BATCH, DEADLINE_S // LIVE_S)
    gateways = [Gateway(number, history, live) for number in range(GATEWAYS)]
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        with broker(folder, port):
            receiver = Receiver(folder, port, gateways, *options)
            try:
                wait_until(lambda: receiver.has_said("ready"), "the receiver is ready")
                found = _measure(receiver, Fleet(port, gateways, CONNECTIONS), gateways)
                return [replace(figure, name=prefix + figure.name) for figure in found]
            finally:
                receiver.stop()


def _measure(receiver: Receiver, fleet: Fleet, gateways: list[Gateway]) -> list[Figure]:
    batches = GATEWAYS * -(-POLLS // POLLS_PER_BATCH)
    idle_mb = receiver.memory_mb("VmRSS")
    begun_s = time.monotonic()
    is_over = threading.Event()
    lives = threading.Thread(target=_send_lives, args=(fleet, gateways, is_over))
    lives.start()
    samples = []
    try:
        for gateway in gateways:
            fleet.send_history(gateway.name)
        while _drained(receiver) < batches:
            if time.monotonic() - begun_s > DEADLINE_S:
                raise TimeoutError(f"{_drained(receiver)} of {batches} batches are drained")
            samples.append(receiver.memory_mb("VmRSS"))
            time.sleep(1)
        ended_s = max(at for _, first, _, at in receiver.stored if first < POLLS)
    finally:
        is_over.set()
        lives.join()
    wait_until(lambda: len(receiver.stored) >= batches + len(fleet.sent_s), "the last live ones")
    fleet.close()
    arrived = {(name, first): at for name, first, _, at in receiver.stored if first >= POLLS}
    lags = sorted(arrived[sent] - at for sent, at in fleet.sent_s.items() if at < ended_s)
    drain_s = ended_s - begun_s
    half = len(samples) // 2
    return [
        Figure("live_lag_p50_s", median(lags), "s", f"{len(lags)} live batches while draining"),
        Figure("live_lag_p99_s", quantiles(lags, n=100)[98], "s", "at most 5"),
        Figure("live_lag_max_s", lags[-1], "s"),
        Figure("drain_s", drain_s, "s", f"{batches} batches of {GATEWAYS} gateways"),
        Figure("drain_readings_per_s", GATEWAYS * POLLS * POINTS / drain_s, "1/s"),
        Figure("messages_per_s", len(receiver.stored) / drain_s, "1/s", "history and live"),
        Figure("rss_idle_mb", idle_mb, "MiB"),
        Figure("rss_peak_mb", receiver.memory_mb("VmHWM"), "MiB", "at most 150"),
        Figure("rss_second_half_mb", median(samples[half:]), "MiB", "of the drain"),
        Figure("dropped", sum(event["event"] == "failing" for event in receiver.others), "1"),
    ]


def _drained(receiver: Receiver) -> int:
    return sum(first < POLLS for _, first, _, _ in receiver.stored)


def _send_lives(fleet: Fleet, gateways: list[Gateway], is_over: threading.Event) -> None:
    """All at once when they come back, then each in its turn."""
    for gateway in gateways:
        fleet.send_live(gateway.name)
    due_s = time.monotonic()
    while True:
        for gateway in gateways:
            due_s += LIVE_S / len(gateways)
            if is_over.wait(max(0.0, due_s - time.monotonic())):
                return
            fleet.send_live(gateway.name)
