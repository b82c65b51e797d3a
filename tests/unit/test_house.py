"""The arrows and the sizes of the house, on the real tree and on small bad ones."""

import ast
from pathlib import Path

import pytest

from .house_rules import (
    FUNCTION_LINES,
    LAYERS,
    LINE_CHARS,
    MODULE_LINES,
    empty_names,
    import_cycles,
    oversized,
    terminal_reached,
    wrong_imports,
)
from .source_tree import PACKAGES, ROOT, Module, read_modules

SIZED = (*PACKAGES, "tests")


@pytest.fixture(scope="module")
def modules() -> dict[str, Module]:
    return read_modules(ROOT)


def plant(root: Path, files: dict[str, str]) -> dict[str, Module]:
    """Write a tree of sources; return its modules."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_modules(root)


def test_the_walk_sees_the_house(modules):
    rooms = {"edge.core.errors", "edge.ports.linux", "edge.app", "cloud_sync", "boards"}
    assert rooms <= set(modules)


def assert_none(complaints: list[str]) -> None:
    """All of them in the message: a list is cut short by pytest."""
    assert not complaints, "\n" + "\n".join(complaints)


def test_imports_follow_the_arrows(modules):
    assert_none(wrong_imports(modules))


def test_the_runtime_never_reaches_the_terminal_packages(modules):
    assert_none(terminal_reached(modules))


def test_no_import_cycle(modules):
    assert_none(import_cycles(modules))


def test_sizes():
    assert_none(oversized(ROOT, SIZED))


def test_every_name_says_something():
    assert_none(empty_names(ROOT, SIZED))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("edge/core/bus/x.py", "import edge.ports.link"),
        ("edge/core/bus/x.py", "from ...app import gateway"),
        ("edge/core/bus/x.py", "import time"),
        ("edge/core/bus/x.py", "def f():\n    import json"),
        ("edge/core/bus/x.py", "if TYPE_CHECKING:\n    pass\nelse:\n    import typing"),
        ("edge/core/bus/x.py", "if TYPE_CHECKING:\n    from edge.ports import contracts"),
        ("edge/core/bus/x.py", "import msgpack"),
        ("edge/core/numbers/pack.py", "import msgpack"),
        ("edge/core/numbers/pack.py", "try:\n    import msgpack\nexcept ValueError:\n    pass"),
        ("edge/ports/contracts.py", "from edge.app import gateway"),
        ("edge/ports/esp32/uart.py", "from edge.ports.linux import serial_link"),
        ("edge/ports/sim/bus.py", "from ..esp32 import uart"),
        ("edge/app/gateway.py", "from edge.ui import page"),
        ("edge/app/gateway.py", "def f():\n    from cloud_sync import receiver"),
        ("edge/app/gateway.py", "import paho.mqtt.client"),
        ("edge/app/gateway.py", "import minimalmodbus"),
        ("edge/profiles/load.py", "import edge.app"),
        ("edge/odd/x.py", "import edge.core"),
        ("edge/__main__.py", "import edge.app"),
        ("edge/__main__.py", "import typer"),
        ("edge/__main__.py", "def f():\n    import cloud_sync"),
        ("cloud_sync/receiver.py", "from edge.ports import contracts"),
        ("boards/flash.py", "from cloud_sync import store"),
    ],
)
def test_a_wrong_import_is_seen(tmp_path: Path, path: str, text: str):
    assert len(wrong_imports(plant(tmp_path, {path: text}))) == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("edge/core/bus/x.py", "import struct\nfrom collections import namedtuple"),
        ("edge/core/bus/x.py", "if TYPE_CHECKING:\n    from typing import Protocol"),
        ("edge/core/bus/x.py", "from ..errors import BusError\nfrom edge import VERSION"),
        ("edge/core/numbers/pack.py", "try:\n    import msgpack\nexcept ImportError:\n    pass"),
        ("edge/ports/esp32/uart.py", "import machine\nfrom edge.ports import contracts"),
        ("edge/ports/linux/link.py", "import serial, minimalmodbus"),
        ("edge/app/gateway.py", "import edge.core.bus\nfrom edge.profiles import load"),
        ("edge/__main__.py", "from edge.core import errors\ndef f():\n    import typer, edge.app"),
        ("cloud_sync/receiver.py", "import paho.mqtt.client\nfrom edge.core.sync import batch"),
        ("hil_tests/demo.py", "import cloud_sync, edge.app, paho, serial"),
    ],
)
def test_a_right_import_is_left_alone(tmp_path: Path, path: str, text: str):
    assert wrong_imports(plant(tmp_path, {path: text})) == []


def test_a_terminal_package_is_found_through_others(tmp_path: Path):
    tree = {
        "edge/app/cli.py": "import typer",
        "edge/app/gateway.py": "from edge.app import runner",
        "edge/app/runner.py": "def f():\n    from edge.app import cli",
        "edge/core/clean.py": "import struct",
    }
    found = terminal_reached(plant(tmp_path, tree))
    assert [line.partition(":")[0] for line in found] == ["edge.app.gateway", "edge.app.runner"]


def test_a_terminal_package_in_a_parent_package_is_found(tmp_path: Path):
    tree = {"edge/app/__init__.py": "import rich.live", "edge/app/gateway.py": ""}
    assert "edge.app.gateway: reaches rich, rich.live" in terminal_reached(plant(tmp_path, tree))


def test_a_cycle_is_found(tmp_path: Path):
    tree = {
        "edge/core/a.py": "from edge.core import b",
        "edge/core/b.py": "from .c import thing",
        "edge/core/c.py": "def f():\n    import edge.core.a",
        "edge/core/d.py": "import edge.core.a\nif TYPE_CHECKING:\n    import edge.core.d",
    }
    cycle = "edge.core.a -> edge.core.b -> edge.core.c -> edge.core.a"
    assert import_cycles(plant(tmp_path, tree)) == [cycle]


def test_each_limit_is_seen(tmp_path: Path):
    body = "    x = 1\n"
    tree = {
        "edge/fits.py": "def f():\n" + body * (FUNCTION_LINES - 1) + "#" * LINE_CHARS + "\n"
        "x = 1  # " + "#" * 80 + "  # type: ignore[arg-type]\n",
        "edge/long_function.py": "def f():\n" + body * FUNCTION_LINES,
        "edge/test_longer.py": "def f():\n" + body * FUNCTION_LINES,
        "edge/long_line.py": "#" * (LINE_CHARS + 1),
        "edge/long_module.py": "x = 1\n" * (MODULE_LINES + 1),
    }
    plant(tmp_path, tree)
    found = oversized(tmp_path, PACKAGES)
    assert [line.partition(":")[0] for line in found] == [
        "edge/long_function.py",
        "edge/long_line.py",
        "edge/long_module.py",
    ]


def test_an_empty_name_is_seen(tmp_path: Path):
    plant(tmp_path, {"edge/utils.py": "", "edge/common/x.py": "", "edge/database.py": ""})
    assert empty_names(tmp_path, PACKAGES) == ["edge/common/x.py", "edge/utils.py"]


def test_nothing_read_is_run(tmp_path: Path):
    found = plant(tmp_path, {"edge/core/loud.py": "raise SystemExit(3)"})
    assert isinstance(found["edge.core.loud"].tree, ast.Module)
    assert set(LAYERS) >= {"edge.core", "edge.ports", "edge.app", "edge.ui"}
