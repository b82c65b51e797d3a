"""`carbontally run --trace`: what was on the line while the gateway polled, fit for a replay."""

import json

from hil_tests.emulator.ledger import read_replies
from hil_tests.site import Site
from tests.contract.brokers import free_port


def test_a_trace_has_every_frame_of_the_line(tmp_path):
    site = Site(tmp_path, free_port())
    site.write()
    with site.emulator():
        gateway = site.run_gateway("--trace", str(tmp_path))
        with gateway:
            gateway.wait_status(
                lambda status: all(device["polls"] >= 2 for device in status["devices"]),
                "two polls of every device",
            )
            gateway.stop()
    (name,) = [device["bus"] for device in site.document["device"]][:1]
    lines = (tmp_path / f"{name}.ndjson").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert rows[0] == {"trace": 1, "baud": 57600, "format": "8N1"}
    heard = {row["hex"] for row in rows[1:] if row["dir"] == "reply"}
    served = list(read_replies(site.ledger, name, 1))
    assert served
    for reply in served[:-1]:
        assert any(reply.registers.hex() in text for text in heard)
    times = [row["t_us"] for row in rows[1:]]
    assert times == sorted(times)
