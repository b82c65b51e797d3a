"""Where a broker is: its address as users write it, whom to trust there, a client for it."""

import ssl
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from edge.core.errors import ConfigError, UsageError

RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 60
CONNECT_TIMEOUT_S = 3

#: Messages on their way to the broker.
SENDING_MAX = 1_024

#: (host, port)
Server = tuple[str, int]


class Broker(NamedTuple):
    """Where to connect and as whom.

    servers: of one cluster, at least one; the next is tried when one fails. ca: authorities to
    trust (PEM), None for the system's.
    """

    servers: tuple[Server, ...]
    tls: bool
    client_id: str
    ca: Path | None = None
    user: str | None = None
    password: str | None = None


def parse_broker(text: str) -> tuple[tuple[Server, ...], bool]:
    """(servers, tls) of mqtt://host[:1883][,host...] or mqtts://host[:8883][,host...].

    Raises UsageError "usage.value".
    """
    return _parse("--broker", text, {"mqtt": (1883, False), "mqtts": (8883, True)})


def parse_stream(text: str) -> tuple[tuple[Server, ...], bool]:
    """(servers, tls) of nats://host[:4222][,host...] or tls://host[:4222][,host...].

    Raises UsageError "usage.value".
    """
    return _parse("--stream", text, {"nats": (4222, False), "tls": (4222, True)})


def parse_share(text: str) -> str:
    """The name of a shared subscription; raises UsageError "usage.value"."""
    if not text or any(char in text for char in "/+#\0"):
        expected = "a name without /, + and #"
        raise UsageError("usage.value", option="--share", found=repr(text), expected=expected)
    return text


def _parse(
    option: str, text: str, schemes: dict[str, tuple[int, bool]]
) -> tuple[tuple[Server, ...], bool]:
    scheme, _, rest = text.partition("://")
    servers = []
    if scheme in schemes:
        default, tls = schemes[scheme]
        servers = [_parse_server(name, default) for name in rest.rstrip("/").split(",")]
    found = [server for server in servers if server]
    if not found or len(found) < len(servers):
        # A URL may carry a password: it is not repeated.
        told = "not such a URL" if "@" in text else repr(text)
        expected = " or ".join(f"{name}://host[:port][,host[:port]...]" for name in schemes)
        raise UsageError("usage.value", option=option, found=told, expected=expected)
    return tuple(found), tls


def _parse_server(name: str, default: int) -> Server | None:
    url = urlsplit("//" + name)
    try:
        host, port = url.hostname, url.port
    except ValueError:
        return None
    if not host or url.netloc != name or "@" in name:
        return None
    return host, port or default


def trust(ca: Path | None) -> ssl.SSLContext:
    """Chain, dates and host name are verified, always. Raises ConfigError "config.file"."""
    try:
        context = ssl.create_default_context(cafile=str(ca) if ca else None)
    except OSError as error:
        raise ConfigError("config.file", file=str(ca), reason=error.strerror or str(error))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def server_name(servers: tuple[Server, ...]) -> str:
    """host:port, several separated by commas."""
    return ",".join(f"{host}:{port}" for host, port in servers)


def make_client(broker: Broker, is_clean: bool) -> paho.Client:
    """An MQTT 3.1.1 client that acknowledges when told to. is_clean: no session is kept for it."""
    client = paho.Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=is_clean,
        protocol=paho.MQTTv311,
        manual_ack=True,
    )
    client.connect_timeout = CONNECT_TIMEOUT_S
    client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
    client.max_queued_messages_set(SENDING_MAX)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        client.tls_set_context(trust(broker.ca))
    return client
