"""The twin gateway on CPython and in the simulated ESP32: one plan, two interpreters."""

from pathlib import Path
from typing import Any

from edge.app.cli.build_plan import encode_plan, plan_of
from edge.app.config import Library, Settings
from edge.app.definitions import define_streams
from edge.ports.linux import files
from hil_tests.micropython.device import Device, Event, compile_file, compile_tree
from hil_tests.micropython.programs.twin_gateway import HOUR_MS, Twin

ROOT = Path(__file__).resolve().parents[2]
LINUX_APP = ("cli", "service")

METERS = 8
COUNTERS, GAUGES = 12, 18
STREAMS = 12
FACTORS = "cn_park_910_2025"
#: So many records a batch fit the memory of a board, see `docs/device_in_a_test.md`.
RECORDS_MAX = 8

PROGRAM = """
import gc
gc.collect()
before = gc.mem_alloc()
from twin_gateway import twin_of_plan
gc.collect()
code = gc.mem_alloc()
print("code", code - before)
with open("plan.bin", "rb") as file: twin = twin_of_plan(file.read(), RECORDS_MAX)
for hour in range(1, HOURS + 1):
    twin.run(hour * 3600000, lambda: None)
    gc.collect()
    print("live", gc.mem_alloc() - code)
for line in twin.lines(): print("made", line)
"""


def twin_plan() -> dict[str, Any]:
    """8 meters of 30 points each minute, 12 streams in intervals of 15 minutes."""
    counter = {"type": "u32", "scale": "0.01", "unit": "kW.h", "places": 2, "class": "counter"}
    gauge = {"type": "u32", "scale": "1", "unit": "W", "places": 0, "class": "gauge"}
    points = [
        {"name": f"p{at}", "address": 2 * at, **(counter if at < COUNTERS else gauge)}
        for at in range(COUNTERS + GAUGES)
    ]
    profile = {"id": "meter", "function": 4, "word_order": "big", "byte_order": "big"}
    devices = [
        {"name": f"m{at}", "bus": "a", "station": at + 1, "profile": "meter", "poll_ms": 60_000}
        for at in range(METERS)
    ]
    streams: list[dict[str, str]] = []
    for at in range(STREAMS):
        imported = {"kind": "grid_import", "factor": "electricity_fossil"}
        kind = imported if at % 2 else {"kind": "memo"}
        point = f"m{at % METERS}.p{at // METERS}"
        streams.append({"name": f"s{at}", "point": point, **kind})
    document = {
        "gateway": {"id": "gw-1", "tenant": "wuxi", "key_file": "k", "journal": "j"},
        "uplink": {"broker": "mqtts://h", "linger_ms": 60_000},
        "accounting": {"interval_s": 900, "factors": FACTORS},
        "bus": [{"name": "a", "port": "p"}],
        "device": devices,
        "stream": streams,
    }
    return {
        "document": document,
        "profiles": {"meter": {**profile, "max_block_registers": 80, "points": points}},
        "factors": {FACTORS: files.read_factors(FACTORS, "gateway.toml", "accounting.factors")},
    }


def gateway_files() -> list[Path]:
    """What a gateway is made of, apart from its ports: the core, and the app without Linux."""
    edge = ROOT / "edge"
    app = [path for path in (edge / "app").glob("*.py") if not path.name.startswith(LINUX_APP)]
    core = [path for path in (edge / "core").rglob("*.py") if "rows" not in path.parts]
    ports = [edge / "ports" / "__init__.py", edge / "ports" / "contracts.py"]
    return sorted([edge / "__init__.py", *app, *core, *ports])


def settings_of(plan: dict[str, Any]) -> Settings:
    """The settings that `twin_plan` states."""
    library = Library(
        lambda name, file, key: plan["profiles"][name],
        lambda name, file, key: plan["factors"][name],
    )
    return Settings(plan["document"], "gateway.toml", library)


def twin_of_settings(settings: Settings, records_max: int) -> Twin:
    """The twin as Linux makes it."""
    sets = [(found.id, found.digest) for found in settings.factor_sets]
    return Twin(
        settings,
        sets,
        [()] * len(settings.devices),
        lambda numbers, definitions: define_streams(settings, numbers, definitions),
        records_max,
    )


def run_on_cpython(settings: Settings, hours: int, records_max: int = RECORDS_MAX) -> list[str]:
    """What the twin has made after `hours` of virtual time."""
    twin = twin_of_settings(settings, records_max)
    twin.run(hours * HOUR_MS, lambda: None)
    return twin.lines()


def run_in_device(
    folder: Path,
    settings: Settings,
    hours: int,
    heap_bytes: int,
    deadline_s: float = 300,
    records_max: int = RECORDS_MAX,
) -> Event:
    """The last event of a device, its `lines` included: "code", "live" each hour, "made".

    heap_bytes: of everything, the code too: it is loaded into the heap from .mpy files.
    """
    tree = folder / "tree"
    compile_tree(ROOT, tree, gateway_files())
    program = Path(__file__).with_name("programs") / "twin_gateway.py"
    compile_file(program, tree / "twin_gateway.mpy", program.name)
    device = Device(folder / "device", tree, heap_bytes=heap_bytes)
    (device.root / "plan.bin").write_bytes(encode_plan(plan_of(settings)))
    text = PROGRAM.replace("HOURS", str(hours)).replace("RECORDS_MAX", str(records_max))
    device.write("main.py", text)
    return device.run(deadline_s)


def said(last: Event, word: str) -> list[str]:
    """The rest of the printed lines that begin with `word`."""
    return [line[len(word) + 1 :] for line in last["lines"] if line.startswith(word + " ")]
