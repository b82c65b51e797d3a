"""`carbontally serve` with a real certificate: who trusts it reads, everybody else is refused."""

import json
import socket
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from urllib.error import URLError

import pytest

from cloud_sync.api.tokens import add_token
from cloud_sync.store.sqlite import SqliteStore
from tests.contract.brokers import HOST
from tests.contract.test_receive_command import make_certificates

from . import park
from .serving import serve

pytestmark = pytest.mark.system


def test_only_tls_is_spoken_with_the_given_certificate(tmp_path: Path):
    make_certificates(tmp_path)
    SqliteStore(tmp_path / "cloud.db").close()
    pair = ("--cert", str(tmp_path / "server.pem"), "--key", str(tmp_path / "server.key"))
    with serve(f"sqlite:///{tmp_path / 'cloud.db'}", tmp_path, *pair) as server:
        assert server.url.startswith(f"https://{HOST}:")
        headers = {"Authorization": f"Bearer {server.tokens[park.TENANT]}"}
        request = urllib.request.Request(server.url + "/openapi.json", headers=headers)
        trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        with urllib.request.urlopen(request, context=trusted) as reply:
            assert reply.status == 200 and json.load(reply)["openapi"].startswith("3.1")
        strangers = ssl.create_default_context(cafile=str(tmp_path / "strangers.pem"))
        for context in (strangers, ssl.create_default_context()):
            with pytest.raises(URLError, match="certificate verify failed"):
                urllib.request.urlopen(request, context=context)
        port = int(server.url.rpartition(":")[2])
        with socket.create_connection((HOST, port)) as plain:
            plain.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not plain.recv(100).startswith(b"HTTP")


@pytest.mark.parametrize("wrong", ["no file", "no certificate", "another key", "no key"])
def test_a_certificate_that_cannot_be_used_is_an_error_of_configuration(
    tmp_path: Path, wrong: str
):
    make_certificates(tmp_path)
    SqliteStore(tmp_path / "cloud.db").close()
    add_token(tmp_path / "tokens.json", park.TENANT, "test", 1)
    cert, key = tmp_path / "server.pem", tmp_path / "server.key"
    if wrong == "no file":
        cert = tmp_path / "none.pem"
    elif wrong == "no certificate":
        cert.write_text("nonsense")
    elif wrong == "another key":
        key = tmp_path / "ca.key"
    words = ["--tokens", str(tmp_path / "tokens.json"), "--port", "0", "--cert", str(cert)]
    words += ["--store", f"sqlite:///{tmp_path / 'cloud.db'}"]
    if wrong != "no key":
        words += ["--key", str(key)]
    ended = subprocess.run(
        [sys.executable, "-m", "edge", "serve", *words], capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 78 and "error[config.file]" in ended.stderr
    assert "Traceback" not in ended.stderr and "ready" not in ended.stdout
