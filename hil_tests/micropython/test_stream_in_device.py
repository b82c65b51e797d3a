"""The stream contracts on the ESP32's sockets and TLS; the same files as on Linux."""

from pathlib import Path

import pytest

from edge.app.cli.build_tree import needed_modules
from hil_tests.micropython.device import Device, compile_file, compile_tree
from hil_tests.micropython.twins import ROOT
from tests.contract.brokers import HOST, free_port
from tests.contract.stream_contract import CHECKS
from tests.contract.stream_peer import stream_peer
from tests.contract.tls_contract import CHECKS as TLS_CHECKS
from tests.contract.tls_peer import make_certificates, tls_peers

pytestmark = pytest.mark.system

CONTRACTS = tuple(
    ROOT / "tests" / "contract" / f"{name}.py" for name in ("stream_contract", "tls_contract")
)
#: Above the send buffer, which takes 5,760 bytes.
MANY = 200_000

PROGRAM = """
import sys
from tests.contract import stream_contract
from edge.ports.esp32.socket_stream import SocketStream
class World:
    host, port, dead_port, many = WORLD
    def stream(self): return SocketStream()
for check in stream_contract.CHECKS:
    try:
        check(World())
        print("kept", check.__name__)
    except Exception as error:
        print("broken", check.__name__)
        sys.print_exception(error)
World.many = 100
try: stream_contract.check_partial_writes_lose_and_repeat_nothing(World())
except AssertionError as error: print(error)
"""


TLS_PROGRAM = """
import sys, time
from tests.contract import tls_contract
from edge.ports.esp32.socket_stream import SocketStream
class World:
    host, ports = WORLD
    def stream(self, authority, is_set):
        with open(authority + ".pem") as file: ca = file.read()
        wall_ms = time.time_ns() // 1000000 + 946684800000 if is_set else 0
        return SocketStream(ca, lambda: wall_ms)
for check in tls_contract.CHECKS:
    try:
        check(World())
        print("kept", check.__name__)
    except Exception as error:
        print("broken", check.__name__)
        sys.print_exception(error)
"""


def contract_device(tmp_path: Path) -> Device:
    """With the stream and the contracts."""
    tree = tmp_path / "tree"
    compile_tree(ROOT, tree, needed_modules(("edge.ports.esp32.socket_stream",)).values())
    for path in CONTRACTS:
        # Their assertions have to stay.
        target = (tree / path.relative_to(ROOT)).with_suffix(".mpy")
        compile_file(path, target, path.name, "-O0")
    return Device(tmp_path / "device", tree)


@pytest.mark.parametrize("nagle", [False, True], ids=["no_delay", "nagle"])
def test_the_stream_of_the_esp32_keeps_the_contract(tmp_path: Path, nagle: bool) -> None:
    device = contract_device(tmp_path)
    with stream_peer() as port:
        world = (HOST, port, free_port(), MANY)
        device.write("main.py", PROGRAM.replace("WORLD", repr(world)))
        last = device.run(deadline_s=180, network={"nagle": nagle})
    assert last["reason"] == "finished", last
    kept = [f"kept {check.__name__}" for check in CHECKS]
    assert last["lines"] == [*kept, "no write was a part"], last


def test_the_tls_of_the_esp32_keeps_the_contract(tmp_path: Path) -> None:
    make_certificates(tmp_path)
    device = contract_device(tmp_path)
    for authority in ("ca", "other-ca"):
        device.write(f"{authority}.pem", (tmp_path / f"{authority}.pem").read_text())
    with tls_peers(tmp_path) as peers:
        device.write("main.py", TLS_PROGRAM.replace("WORLD", repr((HOST, peers.ports))))
        last = device.run(deadline_s=120, clock={"rtc_unix_ms": None})
    assert last["lines"] == [f"kept {check.__name__}" for check in TLS_CHECKS], last
    assert not any(peers.heard)
