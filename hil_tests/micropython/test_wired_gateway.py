"""The gateway on real MicroPython, from the wire to the cloud's rows; a ledger judges.

Core and app are what ships; link, journal and stream are the shortest that do.
"""

import json
from pathlib import Path

import pytest

from edge.core.journal.record import Kind
from edge.ports.linux import files
from hil_tests.micropython.device import Device, compile_file, compile_tree
from hil_tests.micropython.programs.twin_gateway import EPOCH
from hil_tests.micropython.twins import METERS, ROOT, gateway_files, twin_plan
from hil_tests.site import BUS, FACTORY, Site
from hil_tests.witness import judge_cloud, read_cloud
from tests.contract.brokers import mosquitto, wait_until

pytestmark = pytest.mark.system

PROGRAMS = Path(__file__).with_name("programs")
RUN_MS = 5_000
#: For every profile as a document, which a board does without: this is not about the heap.
HEAP_BYTES = 1024 * 1024
MAIN = """
import json
from wired_gateway import run
with open("plan.json") as file: plan = json.loads(file.read())
gateway = run(plan)
store = gateway.recorder.store
print("made", store.next_seq, store.acked_seq, gateway.intervals, store.head.hex())
"""
FACTORS = "cn_park_910_2025"
MINUTES = 20
#: One request in so many finds no answer, and is asked again.
DROP_EVERY = 41


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The device's files, compiled."""
    folder = tmp_path_factory.mktemp("tree")
    ports = [ROOT / "edge" / "ports" / "mqtt_uplink.py"]
    ports += sorted((ROOT / "edge" / "ports" / "esp32").glob("*.py"))
    compile_tree(ROOT, folder, [*gateway_files(), *ports])
    for name in ("twin_gateway", "wired_gateway"):
        compile_file(PROGRAMS / f"{name}.py", folder / f"{name}.mpy", f"{name}.py")
    return folder


@pytest.mark.parametrize("nagle", [False, True], ids=["no_delay", "nagle"])
def test_nothing_is_lost_or_wrong_between_the_wire_and_the_cloud(
    tmp_path: Path, tree: Path, nagle: bool
) -> None:
    device = Device(tmp_path / "device", tree, heap_bytes=HEAP_BYTES)
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        names = {profile for _, _, profile in FACTORY}
        plan = {
            "records_max": 8,
            "run_ms": RUN_MS,
            "document": site.document,
            "profiles": {
                name: files.read_profile(name, "gateway.toml", "device") for name in names
            },
            "factors": {FACTORS: files.read_factors(FACTORS, "gateway.toml", "accounting")},
        }
        device.write("plan.json", json.dumps(plan))
        device.write("main.py", MAIN)
        with site.emulator(strict=True), site.run_receiver() as receiver:
            last = device.run(
                uarts={"2": {"tty": str(tmp_path / "dev" / BUS), "de_pin": 4}},
                network={"nagle": nagle},
                clock={
                    "rtc_unix_ms": None,
                    "ticks_start_ms": 2**30 - RUN_MS // 2,
                },
            )
            assert receiver.stop()[0] == 0
    assert last["reason"] == "finished", last.get("traceback", last)
    next_seq, acked, intervals, head = last["lines"][-1].split()[1:]
    assert int(next_seq) == int(acked) + 1 and int(intervals) >= 3
    cloud = read_cloud(site.cloud, EPOCH)
    assert [entry.seq for entry in cloud] == list(range(int(next_seq)))
    found = judge_cloud(site.cloud, site.ledger)
    assert found.wrong == []
    # On a busy machine a reply may come too late to be believed.
    assert sum(found.unheard.values()) <= found.polls // 10
    assert found.polls >= 7 * 4 and found.good > 300
    faults = ("sent_without_de", "de_released_early", "lost_while_driving", "overruns")
    assert [last["serial"][name] for name in faults] == [0, 0, 0, 0]


def test_minutes_of_virtual_time_at_9600_baud_over_the_wrap_of_the_ticks(
    tmp_path: Path, tree: Path
) -> None:
    """The wire takes its time, the clock jumps; broker and receiver are real."""
    device = Device(tmp_path / "device", tree, heap_bytes=HEAP_BYTES)
    meters = {str(at + 1): {"counter": [1000 * at, 37 + at]} for at in range(METERS)}
    bus = {"turnaround_ms": 20, "drop_every": DROP_EVERY, "meters": meters}
    run_ms = MINUTES * 60_000
    with mosquitto(tmp_path) as broker:
        site = Site(tmp_path, broker.port)
        plan = twin_plan(8)
        plan["run_ms"] = run_ms
        plan["document"]["gateway"] = site.document["gateway"]
        plan["document"]["uplink"] = {"broker": site.broker, "linger_ms": 60_000}
        plan["document"]["bus"][0]["baud"] = 9600
        device.write("plan.json", json.dumps(plan))
        device.write("main.py", MAIN)
        with site.run_receiver() as receiver:
            last = device.run(
                uarts={"2": {"de_pin": 4, "bus": bus}},
                clock={
                    "virtual": True,
                    "rtc_unix_ms": 1_800_000_000_000,
                    "ticks_start_ms": 2**30 - run_ms // 2,
                },
                quiet_ms=60,
            )
            next_seq = int(last["lines"][-1].split()[1])
            wait_until(lambda: len(read_cloud(site.cloud, EPOCH)) == next_seq, "every record")
            assert receiver.stop()[0] == 0
    heard = last["serial"]["requests"]
    assert heard["bad"] == 0 and heard["heard"] == heard["answered"] + heard["dropped"]
    assert heard["dropped"] == heard["heard"] // DROP_EVERY > 0
    polls = [entry for entry in read_cloud(site.cloud, EPOCH) if entry.kind == Kind.POLL]
    assert len(polls) == METERS * MINUTES
    assert heard["answered"] == len(polls), "what found no answer was asked again"
    assert not any(None in poll.body[1] for poll in polls)
    assert abs(polls[-1].wall_ms - polls[0].wall_ms - (run_ms - 60_000)) < 10_000
