"""Whether a gateway's broker lets it in and subscribe, and how long the certificates last."""

import secrets
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.app.cli.check_finding import Finding
from edge.app.config import Settings
from edge.core.errors import SyncError, TallyError
from edge.core.sync.topics import ACK, topic
from edge.ports.linux.tcp import TcpStream
from edge.ports.linux.tls import verifying_context
from edge.ports.umqtt import MQTTClient

TIMEOUT_MS = 5_000

#: Certificates that end sooner are worth a word.
DAYS = 30

DAY_S = 86_400


def broker_findings(settings: Settings, folder: Path, password: str | None) -> Iterator[Finding]:
    """The broker, then its certificate and the authorities of ca_file; blocks for seconds."""
    ca_file = None if settings.ca_file is None else str(folder / settings.ca_file)
    broker = settings.broker
    server = f"{broker.host}:{broker.port}"
    try:
        _log_in(settings, ca_file, password)
    except TallyError as refused:
        yield Finding("broker", refused)
    else:
        yield Finding("broker", None, {"server": server})
    if broker.tls:
        for subject, until_s in _certificates(settings, ca_file):
            days = int(until_s - time.time()) // DAY_S
            fields = {"subject": subject, "days": days}
            error = SyncError("sync.certificate", **fields) if days < DAYS else None
            yield Finding("certificate", error, fields)


def _log_in(settings: Settings, ca_file: str | None, password: str | None) -> None:
    """CONNECT under a name that no gateway has, SUBSCRIBE as the gateway; raises TallyError."""
    broker = settings.broker
    client = MQTTClient(
        "carbontally-check-" + secrets.token_hex(6),
        broker.host,
        TcpStream(ca_file),
        lambda: time.monotonic_ns() // 1_000_000,
        broker.port,
        settings.user,
        password,
        settings.keepalive_s,
        broker.tls,
        TIMEOUT_MS,
    )
    try:
        client.connect()
        client.subscribe(topic(settings.tenant, settings.gateway, ACK), 1)
    finally:
        client.close()


def _certificates(settings: Settings, ca_file: str | None) -> Iterator[tuple[str, float]]:
    """(subject, end in Unix seconds) of what can be had; the chain is judged by `_log_in`."""
    broker = settings.broker
    try:
        context = verifying_context(ca_file)
        with (
            socket.create_connection((broker.host, broker.port), TIMEOUT_MS / 1000) as plain,
            context.wrap_socket(plain, server_hostname=broker.host) as tls,
        ):
            own = tls.getpeercert()
    except (OSError, ValueError, TallyError):
        return
    for found in [own, *(context.get_ca_certs() if ca_file else [])]:
        if found:
            yield _name(found), ssl.cert_time_to_seconds(str(found["notAfter"]))


def _name(certificate: Any) -> str:
    """The common name, or the whole subject."""
    pairs = [pair for part in certificate.get("subject", ()) for pair in part]
    named = [value for key, value in pairs if key == "commonName"]
    return named[0] if named else ", ".join(value for _, value in pairs) or "?"
