"""The stream contract on the ESP32's sockets, with Nagle on and off; the same file as on Linux."""

from pathlib import Path

import pytest

from edge.app.cli.build_tree import needed_modules
from hil_tests.micropython.device import Device, compile_file, compile_tree
from hil_tests.micropython.twins import ROOT
from tests.contract.brokers import HOST, free_port
from tests.contract.stream_contract import CHECKS
from tests.contract.stream_peer import stream_peer

pytestmark = pytest.mark.system

CONTRACT = ROOT / "tests" / "contract" / "stream_contract.py"
#: Above the send buffer, which takes 5,760 bytes.
MANY = 200_000

PROGRAM = """
import sys
import stream_contract
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


@pytest.mark.parametrize("nagle", [False, True], ids=["no_delay", "nagle"])
def test_the_stream_of_the_esp32_keeps_the_contract(tmp_path: Path, nagle: bool) -> None:
    tree = tmp_path / "tree"
    compile_tree(ROOT, tree, needed_modules(("edge.ports.esp32.socket_stream",)).values())
    # Its assertions have to stay.
    compile_file(CONTRACT, tree / "stream_contract.mpy", CONTRACT.name, "-O0")
    device = Device(tmp_path / "device", tree)
    with stream_peer() as port:
        world = (HOST, port, free_port(), MANY)
        device.write("main.py", PROGRAM.replace("WORLD", repr(world)))
        last = device.run(deadline_s=180, network={"nagle": nagle})
    assert last["reason"] == "finished", last
    kept = [f"kept {check.__name__}" for check in CHECKS]
    assert last["lines"] == [*kept, "no write was a part"], last
