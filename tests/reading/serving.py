"""`carbontally serve` as a process over loopback, and requests to it."""

import json
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPMessage
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.parse import urlencode

import uvicorn

from cloud_sync.api.app import make_app
from cloud_sync.api.tokens import Gate, add_token

from . import park

SPAN = {"from": "2026-11-20T00:00:00+08:00", "to": "2026-11-22T00:00:00+08:00"}


class Answer(NamedTuple):
    status: int
    headers: HTTPMessage
    body: bytes

    def json(self):
        return json.loads(self.body)


class Server:
    """A running API. tokens: tenant -> a token of it."""

    def __init__(self, url: str, file: Path, tokens: dict[str, str]) -> None:
        self.url, self.file, self.tokens = url, file, tokens

    def get(
        self,
        path: str,
        tenant: str = park.TENANT,
        accept: str = "",
        method: str = "GET",
        language: str = "",
        **query,
    ) -> Answer:
        """One request; query: `start` and `end` stand for from and to."""
        token = self.tokens.get(tenant, tenant)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if accept:
            headers["Accept"] = accept
        if language:
            headers["Accept-Language"] = language
        url = self.url + path + ("?" + urlencode(query) if query else "")
        request = urllib.request.Request(url, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request) as reply:
                return Answer(reply.status, reply.headers, reply.read())
        except HTTPError as error:
            return Answer(error.code, error.headers, error.read())


@contextmanager
def serve_here(store: str, folder: Path, tenant: str = park.TENANT) -> Iterator[Server]:
    """The same application in a thread of this process, so that its parts can be made to fail."""
    file = folder / "tokens.json"
    tokens = {tenant: add_token(file, tenant, "test", 0)[1]}
    app = make_app(store, Gate(file), "test")
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield Server(f"http://127.0.0.1:{listener.getsockname()[1]}", file, tokens)
    finally:
        server.should_exit = True
        thread.join()
        app.state.pool.close()


@contextmanager
def serve(store: str, folder: Path, *options: str) -> Iterator[Server]:
    """Run it with a token for each tenant of the park; SIGTERM must end it with 0."""
    file = folder / "tokens.json"
    tokens = {t: add_token(file, t, "test", 1)[1] for t in (park.TENANT, park.OTHER)}
    command = [sys.executable, "-m", "edge", "serve", "--store", store, "--tokens", str(file)]
    command += ["--port", "0", "--json", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            assert ready["event"] == "ready"
            yield Server(ready["url"], file, tokens)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    assert process.returncode == 0
