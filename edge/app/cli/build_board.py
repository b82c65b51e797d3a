"""What a device has to know of its board, from the board file."""

from pathlib import Path
from typing import Any

from edge.app.cli.build_flash import SUBTYPES, TYPES
from edge.core.errors import ConfigError
from edge.core.schema import check_document
from edge.ports.linux import files

FILES_PARTITION = "vfs"
ROM_PARTITION = "romfs"

_NAME = {"type": "string"}
_NUMBER = {"type": "integer"}


def _table(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties}


_LINE = _table(("name", "uart", "tx_pin", "rx_pin"), name=_NAME)
_PART = _table(
    ("name", "type", "subtype", "offset_bytes", "size_bytes"),
    name={"type": "string", "pattern": "^[a-z0-9_]{1,15}$"},
    type={"enum": list(TYPES)},
    subtype={"enum": [*SUBTYPES, "ota_0", "ota_1"]},
    offset_bytes=_NUMBER,
    size_bytes=_NUMBER,
)
#: What of boards/board.schema.json is read here: a folder may be anybody's.
_BOARD = _table(
    ("chip", "rs485", "watchdog", "storage", "partitions"),
    chip=_NAME,
    rs485={"type": "array", "items": _LINE},
    watchdog=_table(("timeout_ms",), timeout_ms=_NUMBER),
    storage=_table(("partition",), partition=_NAME),
    partitions={"type": "array", "items": _PART},
)


def read_board(folder: Path) -> dict[str, Any]:
    """What a device has to know of its board; ConfigError for a board that is no ESP32."""
    path = folder / "board.toml"
    document = files.parse_toml(files.read_bytes(path), str(path))
    if document.get("platform") != "esp32":
        found = document.get("platform")
        raise ConfigError(
            "config.value", file=str(path), key="platform", found=found, expected="esp32"
        )
    check_document(document, _BOARD, str(path))
    parts = {part["name"]: part["size_bytes"] for part in document["partitions"]}
    for name in ("nvs", FILES_PARTITION, document["storage"]["partition"]):
        if name not in parts:
            raise ConfigError(
                "config.missing_key", file=str(path), key=f"partition {name}", expected="a table"
            )
    return {
        "rs485": {
            line["name"]: {
                "uart": line["uart"],
                "tx": line["tx_pin"],
                "rx": line["rx_pin"],
                "de": line.get("de_pin"),
                "active": 0 if line.get("de_active") == "low" else 1,
            }
            for line in document["rs485"]
        },
        "partition": document["storage"]["partition"],
        "watchdog_ms": document["watchdog"]["timeout_ms"],
        "chip": document["chip"],
        "partitions": document["partitions"],
        "files_bytes": parts[FILES_PARTITION],
        "rom_bytes": parts.get(ROM_PARTITION, 0),
        "journal_bytes": parts[document["storage"]["partition"]],
    }
