"""How an ESP32 compares with the interpreter of these tests on this machine.

MicroPython's own benchmarks tell it for the WebAssembly build as it is shipped: an ESP32 takes
10 to 15 times as long. The interpreter of the tests is another one: it collects garbage when its
heap is full, and its host looks less up. So the same loops run on both, and what a device has
taken here is first taken to the build that was compared.
"""

import json
import resource
import statistics
import subprocess
from pathlib import Path
from typing import NamedTuple

from hil_tests.bench import esp32_loops
from hil_tests.micropython.interpreter import OLDEST, Build, collecting_interpreter
from hil_tests.micropython.prerequisite import require_command, require_node_package

#: An ESP32 to the build as shipped; see `docs/decisions/0119-an-esp32-by-two-comparisons.md`.
SLOWER = 12
#: Both are measured so often, in turn; the least of a loop counts.
ROUNDS = 3

_HOST = Path(__file__).with_name("esp32_loops.mjs")


class Compared(NamedTuple):
    """Time of a device of these tests over that of the build as shipped: mean, least, most."""

    mean: float
    least: float
    most: float


def compared(release: Build) -> Compared:
    """How the interpreter that is made of a release compares."""
    made = str(collecting_interpreter(release))
    pairs = [(_least_us(OLDEST, ""), _least_us(release, made)) for _ in range(ROUNDS)]
    ratios = []
    for name in esp32_loops.LOOPS:
        shipped, changed = (
            min(spent[name] for spent in each) for each in zip(*pairs, strict=True)
        )
        ratios.append(changed / shipped)
    return Compared(statistics.geometric_mean(ratios), min(ratios), max(ratios))


def processor_s() -> float:
    """Processor time of the processes so far: other work of the machine is not in it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _least_us(release: Build, made: str) -> dict[str, int]:
    """Of each loop, in a process of its own. made: "" for the release as it is shipped."""
    package = str(require_node_package(release.package))
    command = [require_command("node"), str(_HOST), package, made, str(esp32_loops.__file__)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    told: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return told
