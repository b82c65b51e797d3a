"""What a device has to know of its board, from the board file."""

from pathlib import Path
from typing import Any

from edge.core.errors import ConfigError
from edge.ports.linux import files

FILES_PARTITION = "vfs"
ROM_PARTITION = "romfs"


def read_board(folder: Path) -> dict[str, Any]:
    """What a device has to know of its board; ConfigError for a board that is no ESP32."""
    path = folder / "board.toml"
    document = files.parse_toml(files.read_bytes(path), str(path))
    if document.get("platform") != "esp32":
        found = document.get("platform")
        raise ConfigError(
            "config.value", file=str(path), key="platform", found=found, expected="esp32"
        )
    parts = {part["name"]: part["size_bytes"] for part in document["partitions"]}
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
        "files_bytes": parts[FILES_PARTITION],
        "rom_bytes": parts.get(ROM_PARTITION, 0),
        "journal_bytes": parts[document["storage"]["partition"]],
    }
