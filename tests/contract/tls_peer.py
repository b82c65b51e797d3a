"""The other end of `tls_contract`: servers with certificates good and bad, and one without."""

import socket
import ssl
import subprocess
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from hil_tests.micropython.prerequisite import require_command

from .brokers import DEADLINE_S, HOST

#: Peer -> the certificate that it shows.
SHOWN = {
    "good": "good",
    "wrong-host": "wrong-host",
    "expired": "expired",
    "early": "early",
    "old": "good",
}


class Peers(NamedTuple):
    """ports: by name; heard: what was said to the one that nothing may be said to."""

    ports: dict[str, int]
    heard: list[bytes]


def make_certificates(folder: Path) -> None:
    """Mint two authorities, and server certificates good, of another host, and expired."""
    openssl = require_command("openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    for name in ("ca", "other-ca"):
        usage = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem")
        run("req", "-x509", *new_key, *files, "-days", "2", "-subj", f"/CN={name}", *usage)
    (folder / "index.txt").write_text("")
    (folder / "ca.conf").write_text(
        "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\n"
        "default_md=sha256\npolicy=p\nunique_subject=no\ncopy_extensions=copy\n"
        "x509_extensions=x\n[p]\ncommonName=supplied\n"
        "[x]\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n"
    )
    day = 86400
    for name, host, start, end in (
        ("good", "IP:127.0.0.1,DNS:localhost", -day, day),
        ("wrong-host", "DNS:broker.example,IP:127.0.0.2", -day, day),
        ("expired", "IP:127.0.0.1,DNS:localhost", -2 * day, -day),
        ("early", "IP:127.0.0.1,DNS:localhost", day, 2 * day),
    ):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.csr")
        run("req", *new_key, *files, "-subj", f"/CN={name}", "-addext", f"subjectAltName={host}")
        dates = [
            time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + at)) for at in (start, end)
        ]
        sign = ("ca", "-batch", "-config", "ca.conf", "-cert", "ca.pem", "-keyfile", "ca.key")
        span = ("-startdate", dates[0], "-enddate", dates[1])
        run(*sign, *span, "-notext", "-in", f"{name}.csr", "-out", f"{name}.pem")


@contextmanager
def tls_peers(certificates: Path) -> Iterator[Peers]:
    """Serve; whoever gets as far is sent back what it says."""
    heard: list[bytes] = []
    with ExitStack() as stack:
        ports = {
            peer: stack.enter_context(_serving(_speak_tls(_context(certificates, peer))))
            for peer in SHOWN
        }
        ports["plain"] = stack.enter_context(_serving(_greet))
        ports["unheard"] = stack.enter_context(_serving(lambda one: heard.append(one.recv(4096))))
        yield Peers(ports, heard)


def _context(certificates: Path, peer: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    name = SHOWN[peer]
    context.load_cert_chain(certificates / f"{name}.pem", certificates / f"{name}.key")
    if peer == "old":
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = ssl.TLSVersion.TLSv1
            context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def _speak_tls(context: ssl.SSLContext) -> Callable[[socket.socket], None]:
    def serve(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secured:
            while data := secured.recv(4096):
                secured.sendall(data)

    return serve


def _greet(connection: socket.socket) -> None:
    connection.sendall(b"220 ready\r\n")
    connection.recv(4096)


@contextmanager
def _serving(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server((HOST, 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.settimeout(DEADLINE_S)
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                serve(connection)

        threading.Thread(target=accept, daemon=True).start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
