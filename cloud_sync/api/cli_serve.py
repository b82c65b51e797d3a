"""`carbontally serve`: the HTTP API as a process."""

import json as json_module
import signal
import socket
import ssl
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from cloud_sync.api.app import make_app
from cloud_sync.api.tokens import Gate
from edge.core.errors import ConfigError, UsageError

LOOPBACK = ("127.0.0.1", "::1", "localhost")


def serve(
    store: Annotated[str, typer.Option(help="sqlite:///path or postgresql://host/name")],
    tokens: Annotated[Path, typer.Option(help="token file, see `carbontally tokens`")],
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 for any free one")] = 8_443,
    cert: Annotated[Path | None, typer.Option(help="certificate chain, PEM")] = None,
    key: Annotated[Path | None, typer.Option(help="its key, PEM")] = None,
    behind_proxy: Annotated[
        bool, typer.Option("--behind-proxy", help="a proxy adds TLS: plain HTTP on any address")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="one JSON object a line")] = False,
) -> int:
    """Serve a store over HTTP until SIGTERM: OpenAPI 3.1 at /openapi.json."""
    _check(host, cert, key, behind_proxy)
    app = make_app(store, Gate(tokens), version("carbontally"), is_tls=cert is not None)
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        ssl_certfile=None if cert is None else str(cert),
        ssl_keyfile=None if key is None else str(key),
        limit_concurrency=200,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=5,
        h11_max_incomplete_event_size=16_384,
    )
    with _listen(host, port) as listener:
        scheme = "http" if cert is None else "https"
        at = f"{scheme}://{_shown(host)}:{listener.getsockname()[1]}"
        ready = json_module.dumps({"event": "ready", "url": at}) if json else f"ready on {at}"
        print(ready, flush=True)
        # The server raises the signal that ended it again; here it has done its work.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        uvicorn.Server(config).run(sockets=[listener])
    app.state.pool.close()
    return 0


def _check(host: str, cert: Path | None, key: Path | None, behind_proxy: bool) -> None:
    """Refuse plain HTTP where others can reach it, and a certificate that its key does not fit.

    Raises ConfigError "api.plain" or "config.file", UsageError "usage.value".
    """
    if cert is None:
        if host not in LOOPBACK and not behind_proxy:
            raise ConfigError("api.plain", host=host)
        if key is not None:
            expected = "--cert with it"
            raise UsageError("usage.value", option="--key", found=str(key), expected=expected)
        return
    try:
        # A key behind a password is refused: nobody is there to be asked.
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(cert, key, password=lambda: "")
    except OSError as error:
        reason = f"certificate and key cannot be used: {error.strerror or error}"
        raise ConfigError("config.file", file=str(cert), reason=reason) from error


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(100)
    except OSError as error:
        listener.close()
        expected = f"an address to listen on ({error.strerror})"
        raise UsageError(
            "usage.value", option="--host", found=f"{host}:{port}", expected=expected
        ) from error
    return listener
