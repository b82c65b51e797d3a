"""Batches from a NATS JetStream stream in place of an MQTT subscription: receivers share the load.

The servers put what gateways publish into partitions, by tenant and gateway (a subject mapping,
docs/scale.md). Each partition is a durable consumer that hands out one message at a time, to
whichever receiver asked first: so a gateway's batches keep their order, a receiver that ends is
replaced by the others, and nobody has to be elected. A message leaves the stream when the receiver
says that it is committed; one that a killed receiver held is handed out again after `ACK_WAIT_S`.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Callable, Coroutine
from typing import Any, NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DiscardPolicy, RetentionPolicy, StreamConfig
from nats.js.errors import BadRequestError, NotFoundError

from cloud_sync.broker import Server, server_name
from cloud_sync.source import Deliver, Tell
from edge.core.errors import SyncError
from edge.core.sync import topics

STREAM = "carbontally"

#: First token of the subjects that the servers' mapping makes:
#: carbontally.<partition>.<tenant>.<gateway>.<leaf>
PREFIX = "tally"

#: A message that nobody says is being worked on is handed to another receiver.
ACK_WAIT_S = 10.0

#: What waits longer in the stream has been sent again by its gateway.
AGE_MAX_S = 600

#: Of one gateway's leaf; a gateway has at most 4 batches under way.
PER_GATEWAY_MAX = 8

FETCH_S = 5.0

#: A server that hangs is left after two of these.
PING_S = 5
RETRY_S = 1
LOOK_S = 10.0
STOP_S = 3.0


class Place(NamedTuple):
    """A cluster and the number of partitions that its servers make."""

    servers: tuple[Server, ...]
    partitions: int
    tls: ssl.SSLContext | None = None
    user: str | None = None
    password: str | None = None

    @property
    def replicas(self) -> int:
        """Of the stream, if it is to be made: a majority outlives one server from three on."""
        return 3 if len(self.servers) >= 3 else 1


class Partitions:
    """Hands the messages of a cluster's stream to `deliver`, one a partition at a time.

    deliver: called with (topic, payload, done); done() says, from any thread, that it is
    committed. tell: called with what is wrong with the cluster, or None when it serves. Both are
    called from a thread of this object.
    """

    def __init__(self, place: Place, deliver: Deliver, tell: Tell) -> None:
        self._place = place
        self._deliver = deliver
        self._tell = tell
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="jetstream", daemon=True)
        self._is_over = asyncio.Event()

    def start(self) -> None:
        """Begin to connect and to serve; returns at once."""
        self._thread.start()

    def stop(self) -> None:
        """Hand back what is not committed; returns within `STOP_S`."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._is_over.set)
            self._thread.join(STOP_S)

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        serving = self._loop.create_task(self._serve())
        await self._is_over.wait()
        serving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await serving

    async def _serve(self) -> None:
        client = Client()
        try:
            await self._until_done(lambda: self._connect(client))
            stream = client.jetstream()
            await self._until_done(lambda: _declare(stream, self._place))
            self._tell(None)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._watch(stream))
                for number in range(self._place.partitions):
                    tasks.create_task(self._consume(stream, number))
        finally:
            with contextlib.suppress(NatsError, OSError):
                await asyncio.wait_for(client.close(), RETRY_S)

    async def _connect(self, client: Client) -> None:
        place = self._place

        async def lost() -> None:
            self._fail("connection lost")

        async def back() -> None:
            self._tell(None)

        await client.connect(
            servers=[f"nats://{host}:{port}" for host, port in place.servers],
            tls=place.tls,
            user=place.user,
            password=place.password,
            max_reconnect_attempts=-1,
            reconnect_time_wait=RETRY_S,
            connect_timeout=3,
            ping_interval=PING_S,
            max_outstanding_pings=2,
            disconnected_cb=lost,
            reconnected_cb=back,
            error_cb=self._ignore,
            name="carbontally-receiver",
        )

    async def _ignore(self, error: Exception) -> None:
        """What matters comes out of the calls as well."""

    def _fail(self, reason: object) -> None:
        error = SyncError(
            "sync.offline", server=server_name(self._place.servers), reason=str(reason)
        )
        if not self._is_over.is_set():
            self._tell(error)

    async def _until_done(self, step: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """A cluster may lack its majority for a while: again, until it works."""
        while True:
            try:
                return await step()
            except SyncError as error:
                self._tell(error)
            except (NatsError, OSError) as error:
                self._fail(str(error) or type(error).__name__)
            await asyncio.sleep(RETRY_S)

    async def _watch(self, stream: JetStreamContext) -> None:
        """Say so when the servers make more partitions than are read."""
        while True:
            with contextlib.suppress(NatsError, OSError):
                found = await stream.stream_info(STREAM, subjects_filter=f"{PREFIX}.>")
                numbers = [int(name.split(".")[1]) for name in found.state.subjects or ()]
                if numbers and max(numbers) >= self._place.partitions:
                    read = self._place.partitions
                    self._tell(SyncError("sync.partition", number=max(numbers), count=read))
            await asyncio.sleep(LOOK_S)

    async def _consume(self, stream: JetStreamContext, number: int) -> None:
        while True:
            try:
                waiting = await stream.pull_subscribe(
                    f"{PREFIX}.{number}.>",
                    durable=f"partition-{number}",
                    stream=STREAM,
                    config=_consumer(),
                )
                while True:
                    await self._fetch(waiting)
            except (NatsError, OSError) as error:
                self._fail(str(error) or type(error).__name__)
                await asyncio.sleep(RETRY_S)

    async def _fetch(self, waiting: JetStreamContext.PullSubscription) -> None:
        try:
            (message,) = await waiting.fetch(1, FETCH_S)
        except TimeoutError:
            return
        is_done = asyncio.Event()

        def done() -> None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(is_done.set)

        self._deliver(_topic(message), message.data, done)
        try:
            await self._keep(message, is_done)
        except asyncio.CancelledError:
            with contextlib.suppress(NatsError):
                await message.nak()
            raise
        await message.ack()

    async def _keep(self, message: Msg, is_done: asyncio.Event) -> None:
        """Wait until it is committed; meanwhile nobody else gets it."""
        while not is_done.is_set():
            try:
                await asyncio.wait_for(is_done.wait(), ACK_WAIT_S / 3)
            except TimeoutError:
                await message.in_progress()


def _topic(message: Msg) -> str:
    parts = message.subject.split(".")
    tenant, gateway, leaf = (parts + ["", "", ""])[2:5]
    return topics.topic(tenant, gateway, leaf)


def _consumer() -> ConsumerConfig:
    return ConsumerConfig(
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=ACK_WAIT_S,
        max_ack_pending=1,
        max_deliver=-1,
    )


async def _declare(stream: JetStreamContext, place: Place) -> None:
    """Make the stream if it is not there; one that is there keeps its settings."""
    try:
        await stream.stream_info(STREAM)
    except NotFoundError:
        wanted = StreamConfig(
            name=STREAM,
            subjects=[f"{PREFIX}.>"],
            retention=RetentionPolicy.WORK_QUEUE,
            discard=DiscardPolicy.OLD,
            max_age=AGE_MAX_S,
            max_msgs_per_subject=PER_GATEWAY_MAX,
            num_replicas=place.replicas,
        )
        # Another receiver may have been faster.
        with contextlib.suppress(BadRequestError):
            await stream.add_stream(wanted)
