"""`[uplink] deflate = true`: what travels is smaller, what arrives is the journal to the byte."""

from pathlib import Path

import pytest

from edge.core.sync.deflated import FIRST_BYTE
from hil_tests.site import Site
from tests.contract.brokers import mosquitto

from .test_gateway_bad_messages import check_delivery, intruder

pytestmark = pytest.mark.system


def test_a_gateway_that_deflates_delivers_its_journal(tmp_path: Path):
    with mosquitto(tmp_path) as broker, intruder(broker.port) as listener:
        site = Site(tmp_path, broker.port, poll_ms=200)
        site.document["uplink"].update(deflate=True, linger_ms=1_000)
        site.write()
        with site.emulator(), site.run_receiver(), site.run_gateway() as gateway:
            gateway.wait_status(lambda e: e["journal"]["acked_seq"] > 60, "it is acked", 60)
            assert gateway.stop()[0] == 0
    assert any(payload[0] == FIRST_BYTE for payload in listener.batches)
    check_delivery(site)
