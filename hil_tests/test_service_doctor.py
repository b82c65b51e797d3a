"""`carbontally doctor -c`: what `check` finds, and a broker's refusal to subscribe."""

import json
from pathlib import Path

import pytest

from hil_tests.site import GATEWAY
from tests.contract.brokers import Peer, free_port, scripted

from .test_service_commands import findings_of, make_site, run, wrong

pytestmark = pytest.mark.system

VERBS = ("doctor", "check")


def test_doctor_with_a_configuration_is_check(tmp_path: Path) -> None:
    config = make_site(tmp_path, free_port()).config
    found = []
    for verb in VERBS:
        status, output, errors = run(verb, config, "--json")
        facts = [json.loads(line) for line in output.splitlines()]
        assert errors == "" and facts[-1] == {"event": "done", "status": status}
        found.append([status, *((fact["about"], fact["code"]) for fact in facts[:-1])])
    assert found[0] == found[1] and ("broker", "sync.offline") in found[0]
    lines = run("doctor", config, tongue="zh")[1].splitlines()
    assert any(line.startswith("错误 broker: 无法连接代理") for line in lines)


def test_doctor_looks_at_a_bus_or_around_a_gateway(tmp_path: Path) -> None:
    config = make_site(tmp_path, free_port()).config
    status, output, errors = run("doctor", config, "/dev/ttyUSB0")
    assert (status, output) == (2, "") and "error[usage.value]" in errors


def refuse_subscription(peer: Peer) -> None:
    peer.accept()
    packet = peer.read_packet()
    assert packet[0] == 0x82 and f"/{GATEWAY}/ack".encode() in packet
    peer.send(b"\x90\x03" + packet[2:4] + b"\x80")
    peer.fall_silent()


def test_a_subscription_that_the_broker_refuses_is_told(tmp_path: Path) -> None:
    with scripted(refuse_subscription) as port:
        site = make_site(tmp_path, port)
        with site.emulator():
            assert wrong(findings_of(site.config)[1]) == {"broker": "sync.subscribe"}
