"""70,000 publishes of qos 1 over one real connection: more than there are packet ids."""

import gc
import sys
from pathlib import Path

import pytest

from .brokers import mosquitto
from .test_uplink import new_client

pytestmark = pytest.mark.system

PUBLISHES = 70_000

#: What is held is compared between these, when every pool and cache is warm.
WARM, LAST = 5_000, 69_000


def held() -> tuple[int, int]:
    """(descriptors, blocks of memory) of this process."""
    gc.collect()
    return len(list(Path("/proc/self/fd").iterdir())), sys.getallocatedblocks()


def test_70000_publishes_arrive_in_order_once_acknowledged_and_leave_nothing_behind(
    tmp_path: Path,
) -> None:
    # Without Nagle's algorithm, which makes the broker wait 40 ms with every second packet.
    options = {"max_queued_messages": 0, "max_inflight_messages": 0, "set_tcp_nodelay": "true"}
    with mosquitto(tmp_path, **options) as broker:
        client = new_client(broker.port, keepalive=600, timeout_ms=60_000)
        arrived = acknowledged = 0
        ids: list[int] = []

        def take(topic: bytes, payload: bytes) -> None:
            nonlocal arrived
            assert payload == b"%d" % arrived
            arrived += 1

        def note(packet_id: int) -> None:
            nonlocal acknowledged
            acknowledged += 1

        client.set_callback(take)
        client.connect()
        client.subscribe("many", 0)
        client.on_published = note
        kept: list[tuple[int, int]] = []
        for number in range(PUBLISHES):
            while (packet_id := client.send("many", b"%d" % number, qos=1)) is None:
                client.wait_msg()
            if number < 3 or 65_530 <= number < 65_536:
                ids.append(packet_id)
            if number in (WARM, LAST):
                kept.append(held())
        while acknowledged < PUBLISHES or arrived < PUBLISHES:
            client.wait_msg()
        assert (acknowledged, arrived) == (PUBLISHES, PUBLISHES)
        assert not client._session._in_flight and not client._queue
        # The subscription took id 1; after 65535 comes 1 again, never 0.
        assert ids[:3] == [2, 3, 4] and ids[3:] == [65_532, 65_533, 65_534, 65_535, 1, 2]
        (files, blocks), (files_later, blocks_later) = kept
        assert files_later == files
        assert blocks_later - blocks < 3_000, "64,000 publishes kept something each"
        client.disconnect()
