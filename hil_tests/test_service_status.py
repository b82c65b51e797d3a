"""A running gateway's status port: what it says, to whom, and that nobody there can disturb it."""

import json
import os
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from hil_tests.exposition import Sample, parse_exposition
from hil_tests.processes import Command
from hil_tests.site import FACTORY, GATEWAY, Site
from hil_tests.witness import judge_cloud
from tests.contract.brokers import HOST, free_port, mosquitto, wait_until

pytestmark = pytest.mark.system

#: A status port is one connection for so long at most.
CLIENT_S = 2.0


@dataclass
class Running:
    """A gateway with a status port, and all around it."""

    site: Site
    port: int
    gateway: Command
    receiver: Command


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("status")
    with ExitStack() as stack:
        broker = stack.enter_context(mosquitto(folder))
        site = Site(folder, broker.port)
        port = free_port()
        site.document["status"] = {"port": port}
        site.write()
        stack.enter_context(site.emulator())
        receiver = stack.enter_context(site.run_receiver())
        gateway = stack.enter_context(site.run_gateway())
        gateway.wait_status(lambda e: e["journal"]["acked_seq"] > 20, "it works")
        yield Running(site, port, gateway, receiver)
        assert gateway.stop()[0] == 0
        assert receiver.stop()[0] == 0
    findings = judge_cloud(site.cloud, site.ledger)
    assert findings.wrong == []
    assert sum(findings.unheard.values()) <= findings.polls // 20


def fetch(port: int, path: str) -> tuple[str, bytes]:
    """(media type, body) of a GET."""
    with urllib.request.urlopen(f"http://{HOST}:{port}{path}", timeout=10) as reply:
        assert reply.status == 200
        return str(reply.headers["Content-Type"]), reply.read()


def report(port: int) -> dict[str, Any]:
    media, body = fetch(port, "/status")
    assert media == "application/json"
    found: dict[str, Any] = json.loads(body)
    return found


def metrics(port: int) -> dict[str, list[Sample]]:
    media, body = fetch(port, "/metrics")
    assert media == "text/plain; version=0.0.4; charset=utf-8"
    return parse_exposition(body.decode())


def test_the_report_agrees_with_the_status_and_goes_beyond_it(running: Running) -> None:
    found = report(running.port)
    status = running.gateway.events[-1]
    assert (found["source"], found["gateway"]) == ("gateway", GATEWAY)
    assert set(status) < set(found)
    assert (found["epoch"], found["boot"]) == (status["epoch"], status["boot"])
    assert abs(found["mono_ms"] - status["mono_ms"]) < 5_000
    buffer = found["buffer"]
    assert buffer["records"] == found["journal"]["depth"]
    assert 0 <= (buffer["oldest_age_ms"] or 0) < 10_000
    assert 0 <= buffer["last_ack_age_ms"] < 10_000
    assert buffer["journal_bytes"] > 4096 and buffer["free_bytes"] > 0
    assert buffer["lost_records"] == buffer["thinned_records"] == buffer["released_records"] == 0
    asked = {(r["station"], r["result"]): r["count"] for r in found["requests"]}
    assert {station for station, _ in asked} == {station for _, station, _ in FACTORY}
    polls = {d["station"]: d["polls"] for d in found["devices"]}
    assert all(asked[station, "ok"] >= polls[station] > 0 for station in polls)


def test_the_metrics_are_well_formed_and_say_the_same(running: Running) -> None:
    def agrees() -> bool:
        """Both answers are made from one report unless a second passed in between."""
        found, families = report(running.port), metrics(running.port)
        one = {name: samples[0].value for name, samples in families.items() if samples}
        return bool(
            one["carbontally_up_seconds"] == found["mono_ms"] / 1000
            and one["carbontally_sync_acked_seq"] == found["journal"]["acked_seq"]
            and one["carbontally_buffer_records"] == found["buffer"]["records"]
        )

    wait_until(agrees, "both say the same")
    families = metrics(running.port)
    requests = families["carbontally_bus_requests_total"]
    assert {s.labels["station"] for s in requests} == {str(n) for _, n, _ in FACTORY}
    assert {s.labels["result"] for s in requests} >= {"ok"}
    assert {s.labels["bus"] for s in requests} == {"bus1"}
    for name in ("buffer_oldest_seconds", "clock_quality", "journal_bytes", "sync_state"):
        assert families["carbontally_" + name]
    assert sum(s.value for s in families["carbontally_sync_state"]) == 1


def test_counters_only_rise(running: Running) -> None:
    before = metrics(running.port)
    wait_until(lambda: _polls(running.port) > _sum(before), "more polls")
    after = metrics(running.port)
    for name in [name for name in before if name.endswith("_total")]:
        for sample in before[name]:
            later = [s.value for s in after[name] if s.labels == sample.labels]
            assert later and later[0] >= sample.value, (name, sample)


def _sum(families: dict[str, list[Sample]]) -> float:
    return sum(sample.value for sample in families["carbontally_polls_total"])


def _polls(port: int) -> float:
    return _sum(metrics(port))


def test_slow_clients_hold_up_neither_polling_nor_others(running: Running) -> None:
    """Three that send a byte now and then, as slowly as they like; a fourth is served in time."""
    before = running.gateway.events[-1]
    slow = [socket.create_connection((HOST, running.port)) for _ in range(3)]
    try:
        for client in slow:
            client.sendall(b"GET /status HT")
        begun_s = time.monotonic()
        assert report(running.port)["gateway"] == GATEWAY
        took_s = time.monotonic() - begun_s
        for client in slow:
            client.settimeout(5)
            assert client.recv(100) == b"", "it was dropped"
    finally:
        for client in slow:
            client.close()
    assert took_s < CLIENT_S + 1
    after = running.gateway.wait_status(lambda e: True, "a status")
    _check_pace(before, after)


def _check_pace(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Every device was polled as often as it is due, but for what a busy machine costs."""
    passed_ms = after["mono_ms"] - before["mono_ms"]
    for old, new in zip(before["devices"], after["devices"], strict=True):
        assert new["polls"] - old["polls"] >= passed_ms // 500 * 3 // 4 - 1
        assert new["failures"] <= old["failures"] + 1


def test_a_client_that_does_not_read_is_dropped(running: Running) -> None:
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
        client.connect((HOST, running.port))
        client.sendall(b"GET /status HTTP/1.0\r\n\r\n")
        wait_until(lambda: report(running.port)["gateway"] == GATEWAY, "others are served")
        before = running.gateway.events[-1]
        after = running.gateway.wait_status(
            lambda e: e["mono_ms"] > before["mono_ms"] + 3_000, "three seconds pass"
        )
        _check_pace(before, after)


def test_many_requests_cost_the_poller_nothing(running: Running) -> None:
    before = running.gateway.events[-1]
    end_s = time.monotonic() + 3
    count = 0
    while time.monotonic() < end_s:
        fetch(running.port, ("/status", "/metrics")[count % 2])
        count += 1
    after = running.gateway.wait_status(lambda e: True, "a status")
    print(f"{count} requests in 3 s")
    assert count > 50
    _check_pace(before, after)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", 404),
        (b"GET /status?x=1 HTTP/1.1\r\nHost: localhost:80\r\n\r\n", 200),
        (b"HEAD /metrics HTTP/1.0\r\n\r\n", 200),
        (b"POST /status HTTP/1.0\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"GET /status HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET /status HTTP/1.1\r\nHost: 127.0.0.1.evil.example:80\r\n\r\n", 403),
        (b"GET /status\r\n\r\n", 400),
        (b"GET status HTTP/1.0\r\n\r\n", 400),
        (b"\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /status HTTP/1.0\r\nX: " + b"x" * 3000, 431),
    ],
)
def test_what_is_no_good_request_gets_its_status(
    running: Running, request_: bytes, status: int
) -> None:
    with socket.create_connection((HOST, running.port), 10) as client:
        client.sendall(request_)
        reply = b""
        while data := client.recv(4096):
            reply += data
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.split(b" ")[:2] == [b"HTTP/1.0", str(status).encode()]
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
    assert len(body) == (0 if request_.startswith(b"HEAD") else length)


def test_it_listens_on_loopback_only(running: Running) -> None:
    listening = [
        line.split()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{running.port:04X}") and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F:{running.port:04X}"]


def test_an_unknown_path_is_an_error_to_urllib(running: Running) -> None:
    with pytest.raises(urllib.error.HTTPError, match="404"):
        fetch(running.port, "/secrets")


def test_the_rate_and_the_room_come_when_there_is_enough_to_tell(running: Running) -> None:
    wait_until(lambda: report(running.port)["buffer"]["hours_left"] is not None, "a rate", 40)
    buffer = report(running.port)["buffer"]
    room = buffer["journal_bytes"] + buffer["free_bytes"]
    assert 0 < buffer["hours_left"] <= room // buffer["bytes_per_hour"]
    assert 10**6 < buffer["bytes_per_hour"] < 10**9  # seven stations, twice a second


def test_it_is_light(running: Running) -> None:
    """Fourteen polls a second, seven times what twenty stations every ten seconds come to."""
    pid = running.gateway.process.pid
    before_s, begun_s = cpu_s(pid), time.monotonic()
    status = running.gateway.events[-1]
    running.gateway.wait_status(lambda e: e["mono_ms"] > status["mono_ms"] + 5_000, "5 s pass")
    share = (cpu_s(pid) - before_s) / (time.monotonic() - begun_s)
    (rss,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    print(f"{rss} kB, {100 * share:.1f} % of a core")
    assert int(rss) < 60_000
    assert share < 0.15


def cpu_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_port_in_use_holds_nothing_up_and_is_taken_when_it_is_free(tmp_path: Path) -> None:
    site = Site(tmp_path, free_port(), FACTORY[3:4], poll_ms=200)
    with socket.create_server((HOST, 0)) as other:
        site.document["status"] = {"port": other.getsockname()[1]}
        site.write()
        with site.emulator(), site.run_gateway() as gateway:
            gateway.wait_status(lambda e: e["devices"][0]["polls"] > 5, "it polls")
            port = other.getsockname()[1]
            other.close()
            wait_until(lambda: _serves(port), "the port is taken over", 15)
            assert report(port)["gateway"] == GATEWAY
            assert gateway.stop()[0] == 0


def _serves(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
