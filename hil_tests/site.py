"""One gateway and its cloud as files in a folder, and the commands that run on them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hil_tests.emulator.emulator import Emulator
from hil_tests.emulator.scenario import FACTORY_DAY, read_scenario
from hil_tests.processes import Command

TENANT = "park"
GATEWAY = "gw-1"
KEY = bytes(range(32))
BUS = "bus1"

#: (device, station, profile) of the seven stations of the factory day.
FACTORY = (
    ("grid", 1, "eastron_sdm630"),
    ("line1", 2, "acrel_adw300"),
    ("pv", 3, "carlo_gavazzi_em340"),
    ("steam", 4, "spirax_sarco_tva"),
    ("stack", 5, "hefeng_cems"),
    ("stack_pm", 6, "treeland_tl_pmm180"),
    ("battery", 7, "pylontech_powercube_m2"),
)

STREAMS: tuple[dict[str, Any], ...] = (
    {
        "name": "grid_in",
        "kind": "grid_import",
        "point": "grid.active_energy_import",
        "factor": "electricity_fossil",
    },
    {
        "name": "grid_out",
        "kind": "grid_export",
        "point": "grid.active_energy_export",
        "factor": "electricity_fossil",
    },
    {
        "name": "sun",
        "kind": "pv",
        "point": "pv.active_energy_import",
        "factor": "electricity_nonfossil",
    },
    {
        "name": "steam",
        "kind": "heat_import",
        "point": "steam.heat_energy",
        "factor": "heat_fossil",
    },
)


class Site:
    """Everything of one gateway in `folder`; `write` makes the files anew.

    baud: of the bus, in the emulator and in the gateway alike.
    document: gateway.toml as plain data, for a test to change before `write`.
    """

    def __init__(
        self,
        folder: Path,
        broker_port: int,
        devices: Iterable[tuple[str, int, str]] = FACTORY,
        poll_ms: int = 500,
        baud: int = 57_600,
    ) -> None:
        self.folder = folder
        self.baud = baud
        self.broker = f"mqtt://127.0.0.1:{broker_port}"
        self.config = folder / "gateway.toml"
        self.journal = folder / "journal.db"
        self.key_file = folder / "device.key"
        self.keys = folder / "keys.toml"
        self.cloud = folder / "cloud.db"
        self.ledger = folder / "ledger.db"
        names = [name for name, _, _ in devices]
        self.document: dict[str, Any] = {
            "version": 1,
            "gateway": {
                "id": GATEWAY,
                "tenant": TENANT,
                "key_file": self.key_file.name,
                "journal": self.journal.name,
                "commit_ms": 0,
            },
            "uplink": {"broker": self.broker, "linger_ms": 200},
            "accounting": {"interval_s": 1},
            "bus": [{"name": BUS, "port": f"dev/{BUS}", "baud": baud, "reply_timeout_ms": 200}],
            "device": [
                {"name": name, "bus": BUS, "station": n, "profile": profile, "poll_ms": poll_ms}
                for name, n, profile in devices
            ],
            "stream": [dict(s) for s in STREAMS if s["point"].partition(".")[0] in names],
        }
        write_secret(self.key_file, KEY.hex())
        write_secret(self.keys, f'[{TENANT}.{GATEWAY}]\nkey = "{KEY.hex()}"\n')
        self.write()

    def write(self) -> None:
        """Write gateway.toml as `document` has it."""
        lines: list[str] = []
        _add_lines(lines, "", self.document)
        self.config.write_text("\n".join(lines) + "\n")

    def emulator(self, faults: Iterable[str] = (), **options: Any) -> Emulator:
        """The factory day on the gateway's port; faults as lines of a [[bus.fault]] table."""
        text = FACTORY_DAY.read_text().replace("baud = 9600", f"baud = {self.baud}")
        text += "".join(f"\n[[bus.fault]]\n{fault}\n" for fault in faults)
        path = self.folder / "scenario.toml"
        path.write_text(text)
        options = {"ledger_path": self.ledger, "speed": 60, **options}
        return Emulator(read_scenario(path), link_dir=self.folder / "dev", **options)

    def run_gateway(self, *options: str) -> Command:
        arguments = ["run", "-c", str(self.config), "--json", *options]
        return Command(arguments, self.folder / "gateway.log")

    def run_receiver(self, *options: str, is_awaited: bool = True) -> Command:
        """is_awaited: return only once it has subscribed.

        What is published before anyone has subscribed is sent again, but only after a while.
        """
        arguments = ["receive", "--broker", self.broker, "--store", f"sqlite:///{self.cloud}"]
        arguments += ["--keys", str(self.keys), "--json", *options]
        receiver = Command(arguments, self.folder / "receiver.log")
        if is_awaited:
            receiver.wait_for(lambda e: e["event"] == "ready", "the receiver has subscribed")
        return receiver


def write_secret(path: Path, text: str) -> None:
    """A file that only its owner may read."""
    path.touch(0o600)
    path.write_text(text)


def _add_lines(lines: list[str], name: str, table: dict[str, Any]) -> None:
    """TOML of nested tables; JSON's texts, numbers and plain arrays are TOML's as well."""
    for key, value in table.items():
        if not _is_table(value):
            lines.append(f"{key} = {json.dumps(value)}")
    for key, value in table.items():
        inner = f"{name}.{key}" if name else key
        for part in value if isinstance(value, list) and _is_table(value) else []:
            lines.append(f"[[{inner}]]")
            _add_lines(lines, inner, part)
        if isinstance(value, dict):
            lines.append(f"[{inner}]")
            _add_lines(lines, inner, value)


def _is_table(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], dict)
    return isinstance(value, dict)
