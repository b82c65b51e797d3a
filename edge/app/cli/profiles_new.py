"""The skeleton of a new profile: it lints as it is, and says what to put where."""

import re
from pathlib import Path

from edge.core.errors import ConfigError, UsageError

_SKELETON = """\
#:schema {schema}
# What this file may hold: docs/profiles.md. Check it: carbontally profiles lint {file}
id = "{id}"
vendor = "{vendor}"
model = "{model}"
# electricity, heat, gas, water, cems, battery, pv or building
class = "electricity"
protocol = "modbus-rtu"
# 3 holding registers, 4 input registers; a point may have its own
function = 3
# big: the high word of a 32-bit value comes first
word_order = "big"
byte_order = "big"
# What the manual calls wire address 0 (40001, 30001, 1, or 0). Addresses below are wire addresses.
label_base = 40001
# Most registers the device answers at once; 125 if the manual does not say
max_block_registers = 125
# Raw patterns that mean "no value", by type
sentinels = {{ u16 = [0xFFFF] }}
points = [
  # value = raw x scale + offset, kept to `places` decimals. A counter only ever grows.
  {{ name = "voltage_l1", address = 0, type = "u16", scale = "0.1", unit = "V", places = 1, \
class = "gauge" }},
  {{ name = "active_energy_import", address = 1, type = "u32", scale = "0.01", unit = "kW.h", \
places = 2, class = "counter" }},
]
# Registers and what they must read as: one for every type and scale, one for every sentinel.
vectors = [
  {{ point = "voltage_l1", registers = [2305], reading = "230.5" }},
  {{ point = "voltage_l1", registers = [65535], quality = "sentinel" }},
  {{ point = "active_energy_import", registers = [1, 2], reading = "655.38" }},
]
quirks = [
  "Addresses, types and scales here are examples: replace every one of them",
]

[serial]
# Factory settings: baud, format such as "8N1", station
note = "not in sources read"

[identification]
# none, register (function, address, count, type, expect), fc43, fc17
method = "none"

[provenance]
# low until two sources that did not copy each other agree, or the device itself has proved it
confidence = "low"
basis = "example: not read from any document"
sources = [
  "title, version and page of the manual",
]
"""


def write_skeleton(vendor: str, model: str, directory: Path) -> Path:
    """Write a new profile for `vendor` and `model` into `directory`; return its path.

    Raises UsageError "usage.value" for names without letters or digits, ConfigError "config.file"
    for a file that is there already or cannot be written.
    """
    found = re.sub(r"[^a-z0-9]+", "_", f"{vendor} {model}".lower()).strip("_")
    if not found:
        expected = "names with letters or digits"
        raise UsageError(
            "usage.value", option="VENDOR MODEL", found=f"{vendor} {model}", expected=expected
        )
    path = directory / f"{found}.toml"
    text = _SKELETON.format(
        id=found,
        file=path,
        vendor=_quoted(vendor),
        model=_quoted(model),
        schema="./profile.schema.json",
    )
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError("config.file", file=str(path), reason=error.strerror) from error
    return path


def _quoted(text: str) -> str:
    return "".join(c for c in text if c.isprintable()).replace("\\", "\\\\").replace('"', '\\"')
