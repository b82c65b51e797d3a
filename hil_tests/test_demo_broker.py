"""The embedded broker of the demonstration ends, whatever its sessions do."""

import asyncio

import pytest
from amqtt.broker import Broker

from edge.core.errors import SyncError
from hil_tests.demo.broker import EmbeddedBroker, find_broker, free_port


def test_a_shutdown_that_never_ends_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(self: Broker) -> None:
        await asyncio.Event().wait()

    broker = EmbeddedBroker(free_port())
    broker.start()
    with monkeypatch.context() as patched:
        patched.setattr(Broker, "shutdown", never)
        broker.stop()
    with pytest.raises(SyncError):
        find_broker(broker.port)
    broker.start()
    find_broker(broker.port)
    broker.stop()
