"""A gateway whose standard output goes away measures on; other commands end plainly."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from hil_tests.site import Site
from tests.contract.brokers import mosquitto, wait_until

pytestmark = pytest.mark.system

CARBONTALLY = (sys.executable, "-m", "edge")


def _head_seq(site: Site) -> int:
    if not site.journal.exists():
        return 0
    with closing(sqlite3.connect(f"file:{site.journal}?mode=ro", uri=True)) as journal:
        found = journal.execute("SELECT max(seq) FROM journal").fetchone()[0]
    return int(found or 0)


@pytest.mark.parametrize("sink", ["closed pipe", "full disk"])
def test_measuring_outlives_standard_output(tmp_path: Path, sink: str):
    errors = tmp_path / "errors"
    with mosquitto(tmp_path) as broker, errors.open("wb") as log:
        site = Site(tmp_path, broker.port)
        site.write()
        reading, writing = os.pipe()
        os.close(reading)
        full = os.open("/dev/full", os.O_WRONLY)
        with site.emulator():
            gateway = subprocess.Popen(
                [*CARBONTALLY, "run", "-c", str(site.config), "--json"],
                stdout=writing if sink == "closed pipe" else full,
                stderr=log,
            )
            os.close(writing)
            os.close(full)
            wait_until(lambda: b"measuring goes on" in errors.read_bytes(), "it lost its output")
            seen = _head_seq(site)
            wait_until(lambda: _head_seq(site) > seen + 10, "it measures on")
            gateway.send_signal(signal.SIGTERM)
            assert gateway.wait(30) == 0
    assert b"Traceback" not in errors.read_bytes()


def test_a_command_says_that_its_output_is_full():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*CARBONTALLY, "profiles", "list"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert done.returncode == 74
    assert done.stderr.startswith("error[usage.output]") and "Traceback" not in done.stderr
