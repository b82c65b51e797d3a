"""The demonstration through an outage, with another broker and screen, and how it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hil_tests.test_demo import TIMEOUT_S, run_demo, verdict_of
from tests.contract.brokers import mosquitto


def test_an_outage_loses_nothing():
    done = run_demo("--seconds", "20", "--json", "--outage")
    verdict = verdict_of(done)
    statuses = [json.loads(line) for line in done.stdout.splitlines()[:-1]]
    assert any(status["uplink"]["state"] == "offline" for status in statuses)
    assert max(status["journal"]["depth"] for status in statuses) >= 20
    assert verdict["holds"] and verdict["readings"]["served"] > 800
    assert (verdict["lost"], verdict["duplicated"], verdict["wrong"]) == (0, 0, 0)


def test_the_same_with_a_real_mosquitto(tmp_path):
    with mosquitto(tmp_path) as broker:
        done = run_demo("--seconds", "20", "--json", "--broker", str(broker.port))
    verdict = verdict_of(done)
    assert verdict["holds"] and verdict["chain_verified"]
    count = verdict["readings"]
    assert count["served"] == count["stored"] + count["unread"]
    assert count["stored"] > 800


def test_a_terminal_that_cannot_redraw_gets_lines():
    done = subprocess.run(
        ["script", "-qec", f"{sys.executable} -m edge demo --seconds 5", "/dev/null"],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "TERM": "dumb"},
    )
    assert done.returncode == 0
    assert done.stdout.count("stations 7/7 good") >= 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_its_processes(number, tmp_path):
    demo = subprocess.Popen(
        [sys.executable, "-m", "edge", "demo", "--plain", "--dir", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert any("7/7 good" in line for line in demo.stdout)
    demo.send_signal(number)
    rest = demo.communicate(timeout=TIMEOUT_S)[0]
    assert demo.returncode == 0
    assert "verdict    HOLDS" in rest
    running = [path.read_bytes() for path in Path("/proc").glob("[0-9]*/cmdline") if path.exists()]
    assert not [line for line in running if str(tmp_path).encode() in line]


def test_output_that_cannot_be_written_ends_it():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge", "demo", "--seconds", "5", "--plain"],
            stdout=full,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT_S,
        )
    assert done.returncode != 0
