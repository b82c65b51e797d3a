"""The embedded MQTT broker: amqtt in a thread, on loopback where nobody else is meant."""

import asyncio
import logging
import socket
import threading

from amqtt.broker import Broker

from edge.core.errors import SyncError

HOST = "127.0.0.1"
_START_S = 10.0
_STOP_S = 3.0
_FIND_S = 3.0


def free_port() -> int:
    """A TCP port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def find_broker(port: int) -> None:
    """Raise SyncError sync.offline when nothing listens on a port of the loopback interface."""
    try:
        socket.create_connection((HOST, port), _FIND_S).close()
    except OSError as error:
        reason = error.strerror or str(error)
        raise SyncError("sync.offline", server=f"{HOST}:{port}", reason=reason) from error


class EmbeddedBroker:
    """A broker that can be stopped and started on the same port, as an outage does.

    host: an address of this machine, where others than this machine have to reach it.
    """

    def __init__(self, port: int, host: str = HOST) -> None:
        self.port = port
        self.host = host
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._over: asyncio.Event | None = None
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL)

    def start(self) -> None:
        """Listen; return once clients can connect."""
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(ready,), name="broker", daemon=True
        )
        self._thread.start()
        if not ready.wait(_START_S):
            raise TimeoutError("the broker does not start")

    def stop(self) -> None:
        """Drop every client and stop listening."""
        if self._loop is not None and self._over is not None:
            self._loop.call_soon_threadsafe(self._over.set)
        if self._thread is not None:
            self._thread.join(2 * _STOP_S)
        self._thread = None

    def _run(self, ready: threading.Event) -> None:
        asyncio.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._over = asyncio.Event()
        broker = Broker(
            {
                "listeners": {"default": {"type": "tcp", "bind": f"{self.host}:{self.port}"}},
                "plugins": {
                    "amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}
                },
            }
        )
        await broker.start()
        ready.set()
        await self._over.wait()
        shutdown = asyncio.create_task(broker.shutdown())
        # It waits for each session, and one that ends just then can keep it waiting for ever.
        await asyncio.wait({shutdown}, timeout=_STOP_S)
        if not shutdown.done():
            for server in broker._servers.values():
                if server.instance is not None:
                    server.instance.close()
