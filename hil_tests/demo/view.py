"""What the demonstration shows while it runs: a live table, plain lines, or NDJSON."""

import json
import sys
from types import TracebackType
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table

#: device -> the point that stands for it, divisor, decimals, unit shown
HEADLINES = {
    "grid": ("active_power_total", 1000, 1, "kW"),
    "line1": ("active_power_total", 1000, 1, "kW"),
    "pv": ("active_power_total", 1000, 1, "kW"),
    "steam": ("thermal_power", 1, 0, "kW"),
    "stack": ("co2_concentration", 1, 2, "% CO2"),
    "stack_pm": ("dust_concentration", 1, 1, "mg/m3"),
    "battery": ("soc", 1, 0, "% charge"),
}

_QUALITY_STYLE = {"good": "green", "none": "dim"}


def headline(device: dict[str, Any]) -> str:
    """The figure that stands for a device, "-" when there is none."""
    point, divisor, decimals, unit = HEADLINES[device["name"]]
    value = device["values"].get(point)
    return "-" if value is None else f"{float(value) / divisor:.{decimals}f} {unit}"


def kilograms(milligrams: int | None, decimals: int = 3) -> str:
    """Milligrams as kilograms for people."""
    return "-" if milligrams is None else f"{milligrams / 1e6:.{decimals}f} kg"


def plain_line(status: dict[str, Any], elapsed_s: float, note: str) -> str:
    """One line a second for terminals that cannot redraw, and for logs."""
    devices = status["devices"]
    good = sum(device["quality"] == "good" for device in devices)
    account, journal = status["account"], status["journal"]
    power = next(headline(device) for device in devices if device["name"] == "grid")
    return (
        f"{elapsed_s:5.1f}s  stations {good}/{len(devices)} good  grid {power}"
        f"  scope1 {kilograms(account['scope1_mg'])}  scope2 {kilograms(account['scope2_mg'])}"
        f"  {kilograms(account['intensity_mg_per_kwh'])}/kWh"
        f"  buffer {journal['depth']}  acked {journal['acked_seq']}"
        f"  {status['uplink']['state']}{note}"
    )


def live_page(status: dict[str, Any], elapsed_s: float, note: str) -> Group:
    """The live view: stations above, account and journal below."""
    table = Table(expand=True, box=None)
    for name in ("station", "device", "now", "quality", "age", "polls", "failed"):
        table.add_column(name, justify="right" if name in ("age", "polls", "failed") else "left")
    for device in status["devices"]:
        style = _QUALITY_STYLE.get(device["quality"], "red")
        age = "-" if device["age_ms"] is None else f"{device['age_ms'] / 1000:.1f} s"
        table.add_row(
            str(device["station"]),
            device["name"],
            headline(device),
            f"[{style}]{device['quality']}[/]",
            age,
            str(device["polls"]),
            str(device["failures"]),
        )
    account, journal, uplink = status["account"], status["journal"], status["uplink"]
    online = "green" if uplink["state"] == "online" else "red"
    figures = Table.grid(padding=(0, 3), expand=True)
    figures.add_row(
        f"scope 1  [bold]{kilograms(account['scope1_mg'])}[/]",
        f"scope 2  [bold]{kilograms(account['scope2_mg'])}[/]",
        f"intensity  [bold]{kilograms(account['intensity_mg_per_kwh'])}/kWh[/]",
        f"intervals  {account['intervals']}",
    )
    figures.add_row(
        f"uplink  [{online}]{uplink['state']}[/]",
        f"buffer depth  {journal['depth']}",
        f"acked seq  {journal['acked_seq']}",
        f"clock  {status['clock']}",
    )
    title = f"carbontally demo  {elapsed_s:.0f} s{note}   Ctrl-C stops and judges"
    return Group(Panel(table, title=title), Panel(figures))


class View:
    """Shows status objects; a context manager because a live view owns the screen."""

    def __init__(self, mode: str) -> None:
        """mode: "live", "plain" or "json"."""
        self._mode = mode
        self._console = Console(highlight=False)
        self._live: Live | None = None

    def __enter__(self) -> "View":
        if self._mode == "live":
            self._live = Live(console=self._console, auto_refresh=False, screen=False)
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, status: dict[str, Any], elapsed_s: float, note: str) -> None:
        """Show one status; note: "" or what the demonstration is doing to the gateway."""
        suffix = f"  ({note})" if note else ""
        if self._mode == "json":
            print(json.dumps(status), flush=True)
        elif self._live is not None:
            self._live.update(live_page(status, elapsed_s, suffix), refresh=True)
        else:
            print(plain_line(status, elapsed_s, suffix), flush=True)

    def say(self, text: str) -> None:
        """A line beside the figures: on standard error when figures are for a program."""
        if self._mode == "json":
            print(text, file=sys.stderr, flush=True)
        elif self._live is not None:
            self._live.console.print(text)
        else:
            print(text, flush=True)
