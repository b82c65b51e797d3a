"""What a test needs from the machine: found, or the test fails with what to do about it.

`./run test` installs these. Where they can't be had, CARBONTALLY_TEST_MINIMAL=1 turns the failure
into a skip, except in CI (CI set), where nothing may be skipped.
"""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

SYSTEM_PATH = os.environ.get("PATH", os.defpath) + os.pathsep + "/usr/sbin"
NODE_MODULES = Path(__file__).parent / "node_modules"


def require_command(name: str) -> str:
    """The path of a command such as "mosquitto", "mbpoll", "openssl" or "node"."""
    found = shutil.which(name, path=SYSTEM_PATH)
    return found or lacking(name)


def require_node_package(name: str, modules: Path = NODE_MODULES) -> Path:
    """The folder of an installed npm package, of `package.json` beside this file or elsewhere."""
    folder = modules / name
    if not (folder / "package.json").is_file():
        lacking(f"npm package {name}")
    return folder


def lacking(what: str) -> NoReturn:
    """Skip where the minimal switch says so, else fail."""
    if os.environ.get("CARBONTALLY_TEST_MINIMAL") == "1" and not os.environ.get("CI"):
        pytest.skip(f"{what} is not installed (CARBONTALLY_TEST_MINIMAL=1)")
    pytest.fail(f"{what} is not installed: ./run test installs it", pytrace=False)
