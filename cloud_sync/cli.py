"""Verbs of the cloud side: run the receiver. Those for auditors are in `cli_audit`."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from cloud_sync.broker import Broker, parse_broker, parse_share, parse_stream, trust
from cloud_sync.keys import WatchedKeys, read_secret
from cloud_sync.mqtt import RATE, STORE_RETRY_S, Service
from cloud_sync.receiver import Receiver
from cloud_sync.report import Report
from cloud_sync.source import Deliver, Source, Tell
from cloud_sync.store.address import open_store, parse_address
from cloud_sync.store.contract import Store
from edge.core.errors import StoreError, UsageError

CLIENT_ID = "carbontally-receiver"

#: Seconds after which a thread has to let the other run. Reading one packet takes paho's thread
#: several turns; at Python's 5 ms each it could take in less than the worker stores.
_SWITCH_S = 0.0005

#: Seconds between two lines of counts, on a terminal and elsewhere.
_TERMINAL_S = 1.0
_LOG_S = 10.0
_CHECK_S = 0.2

_StreamOption = Annotated[
    str | None,
    typer.Option(help="share the batches of a JetStream stream: nats://host[:port][,host...]"),
]
_ShareOption = Annotated[
    str | None,
    typer.Option(help="share the broker's batches with the receivers of the same name"),
]
_PartitionsOption = Annotated[
    int, typer.Option(min=1, max=1024, help="of the stream, as the servers' mapping has it")
]
_PasswordOption = Annotated[Path | None, typer.Option(help="file with the password (mode 0600)")]
_NoCompactOption = Annotated[
    bool, typer.Option("--no-compact", help="leave days that are over to `compact`")
]
_RateOption = Annotated[
    int, typer.Option(min=1, max=100_000, help="messages a second of one gateway; more wait")
]


def receive(
    broker: Annotated[str, typer.Option(help="mqtt://host[:port] or mqtts://host[:port]")],
    store: Annotated[str, typer.Option(help="sqlite:///path or postgresql://host/name")],
    keys: Annotated[Path, typer.Option(help="key file (TOML, mode 0600)")],
    ca: Annotated[
        Path | None, typer.Option(help="authorities to trust for mqtts, PEM; else the system's")
    ] = None,
    user: Annotated[str | None, typer.Option(help="user at the broker")] = None,
    password_file: _PasswordOption = None,
    client_id: Annotated[
        str | None, typer.Option(help="MQTT client id: stable, and one for each receiver")
    ] = None,
    share: _ShareOption = None,
    stream: _StreamOption = None,
    partitions: _PartitionsOption = 16,
    rate: _RateOption = RATE,
    no_compact: _NoCompactOption = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Receive batches from a broker, verify and store them, acknowledge what is committed."""
    password = read_secret(password_file).strip() if password_file else None
    sys.setswitchinterval(_SWITCH_S)
    report = Report(json)
    known = WatchedKeys(keys, lambda error: report.notice("failing", {"error": error}))
    group = _group(share, stream)
    name = client_id or _client_id(is_one_of_many=bool(group or stream))
    place = Broker(*parse_broker(broker), name, ca, user, password)
    service = Service(place, report.notice, _stream(place, stream, partitions), rate, group)
    where = parse_address(store)
    with _stop_signals() as is_over:
        if database := _open(where, report, is_over):
            report.notice("store", database.describe())
            service.start(Receiver(database, known, _wall_ms, report.notice))
            compacting = nullcontext() if no_compact else _compacting(where, service, report)
            _serve(service, database, compacting, report, is_over)
    if service.failure is not None:
        raise service.failure
    return 0


def _open(place: Path | str, report: Report, is_over: threading.Event) -> Store | None:
    """Open the store; wait for it where that may help. None when a signal comes before.

    Raises StoreError "cloud.open" for what waiting cannot mend.
    """
    told = ""
    pause_s = iter(STORE_RETRY_S)
    while not is_over.is_set():
        try:
            return open_store(place)
        except StoreError as error:
            if error.code != "cloud.unavailable":
                raise
            if told != (told := str(error.fields)):
                report.notice("failing", {"error": error})
        is_over.wait(next(pause_s, STORE_RETRY_S[-1]))
    return None


def _group(share: str | None, stream: str | None) -> str | None:
    if share is not None and stream is not None:
        expected = "no --stream beside it: a stream is shared as it is"
        raise UsageError("usage.value", option="--share", found=repr(share), expected=expected)
    return None if share is None else parse_share(share)


def _client_id(is_one_of_many: bool) -> str:
    """One of many has to differ, and has no session that would have to outlive it.

    The only one of a broker has.
    """
    return f"{CLIENT_ID}-{socket.gethostname()}-{os.getpid()}" if is_one_of_many else CLIENT_ID


def _stream(
    broker: Broker, stream: str | None, partitions: int
) -> Callable[[Deliver, Tell], Source] | None:
    """Opens the stream of --stream with the broker's authorities, user and password."""
    if stream is None:
        return None
    from cloud_sync.jetstream import Partitions, Place  # slow to import, and rarely wanted

    servers, tls = parse_stream(stream)
    context = trust(broker.ca) if tls else None
    place = Place(servers, partitions, context, broker.user, broker.password)
    return lambda deliver, tell: Partitions(place, deliver, tell)


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """An event that SIGTERM and SIGINT set."""
    is_over = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: is_over.set())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield is_over
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _compacting(place: Path | str, service: Service, report: Report) -> Iterator[None]:
    """Compact while the service has nothing to do."""
    from cloud_sync.idle import IdleCompactor
    from cloud_sync.store.compaction import open_compaction

    idle = IdleCompactor(
        lambda: open_compaction(place),
        lambda: service.is_quiet,
        lambda error: service.tell("compaction", error),
        report.notice,
        _wall_ms,
    )
    idle.start()
    try:
        yield
    finally:
        idle.stop()


def _serve(
    service: Service,
    database: Store,
    compacting: AbstractContextManager[None],
    report: Report,
    is_over: threading.Event,
) -> None:
    """Print counts until a signal comes or the worker ends; then stop all of it."""
    pause_s = _TERMINAL_S if sys.stdout.isatty() else _LOG_S
    due_s = time.monotonic() + pause_s
    try:
        with compacting:
            while not is_over.wait(_CHECK_S) and not service.has_ended:
                if not report.json and time.monotonic() >= due_s:
                    due_s += pause_s
                    report.line(service.dropped)
    finally:
        service.stop()
        if service.has_ended:
            database.close()
        if not report.json:
            report.line(service.dropped)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
