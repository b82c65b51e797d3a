"""A gateway whose clock lies, against a real Mosquitto with TLS: it waits, tells, and recovers."""

from pathlib import Path

import pytest

from hil_tests.micropython.prerequisite import require_command
from hil_tests.site import Site
from hil_tests.witness import read_journal
from tests.contract.brokers import Broker, mosquitto, wait_until
from tests.contract.tls_peer import make_certificates

pytestmark = pytest.mark.system

#: Attempts are up to 16 s apart by then, more where the machine is busy.
DEADLINE_S = 90.0

#: A clock that was never set, one a month behind, one a month ahead: by faketime's words.
NEVER, BEHIND, AHEAD, RIGHT = "@1970-01-02 00:00:00", "-30d", "+30d", "+0"


def faked(clock: Path) -> dict[str, str]:
    """Environment of a process whose wall clock, and OpenSSL's with it, is as the file says."""
    program = Path(require_command("faketime")).resolve()
    (library,) = program.parents[1].glob("lib/*/faketime/libfaketimeMT.so.1")
    return {
        "LD_PRELOAD": str(library),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
    }


def refusals(broker: Broker) -> int:
    """Handshakes that ended with an alert about a certificate."""
    return broker.log.read_text(errors="replace").count("alert certificate expired") + (
        broker.log.read_text(errors="replace").count("alert bad certificate")
    )


def test_dates_are_held_against_a_clock_that_lies_until_it_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    make_certificates(tmp_path)
    clock = tmp_path / "clock"
    clock.write_text(NEVER)
    files = {"certfile": tmp_path / "good.pem", "keyfile": tmp_path / "good.key"}
    with mosquitto(tmp_path, **files) as broker:
        site = Site(tmp_path, broker.port)
        site.document["uplink"]["broker"] = f"mqtts://127.0.0.1:{broker.port}"
        site.document["uplink"]["ca_file"] = "ca.pem"
        site.write()
        with monkeypatch.context() as patched:
            for name, value in faked(clock).items():
                patched.setenv(name, value)
            gateway = site.run_gateway()
        with gateway:
            gateway.wait_status(lambda e: e["uplink"]["error"] == "sync.dates", "it tells")
            assert refusals(broker) == 0, "it began TLS without a clock"
            for lie in (BEHIND, AHEAD):
                before = refusals(broker)
                clock.write_text(lie)
                wait_until(lambda n=before: refusals(broker) > n, "it refuses", DEADLINE_S)
                status = gateway.wait_status(lambda e: True, "it goes on")
                assert status["uplink"]["error"] == "sync.dates"
            assert "carbontally-" not in broker.log.read_text(), "it got in"
            clock.write_text(RIGHT)
            gateway.wait_status(
                lambda e: e["uplink"]["state"] == "online", "it connects", DEADLINE_S
            )
            assert gateway.stop()[0] == 0
    told = [fields for code, fields in read_journal(site.journal).events() if code == "sync.dates"]
    assert told[0]["reason"] == "this clock was never set"
    assert told[0]["clock"].startswith("1970-01-0")
