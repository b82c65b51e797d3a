"""`carbontally plan`: what a configuration asks of each bus, before anything is connected."""

import json as json_module
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from edge.app.config import Bus, Device, Settings
from edge.app.service import read_settings
from edge.core.bus.block import Block
from edge.core.bus.budget import (
    BAUDS,
    FULL_PPM,
    Load,
    cycle_us,
    dead_station_ppm,
    poll_us,
    share_ppm,
    slowest_baud,
    stretch_permille,
)
from edge.core.bus.plan import Timing, character_bits, line_timing, plan_blocks
from edge.core.bus.schedule import DEAD_SHARE_PPM
from edge.core.errors import TallyError


def plan(
    config: Annotated[Path, typer.Option("-c", "--config", help="gateway.toml")],
    turnaround_ms: Annotated[
        int, typer.Option(min=0, max=1000, help="what a station takes before it answers")
    ] = 5,
    json: Annotated[bool, typer.Option("--json", help="one JSON object")] = False,
) -> int:
    """Show the block reads, the cycle and the load of each bus; say what does not fit."""
    settings, _ = read_settings(config)
    reports = [report_bus(settings, bus, turnaround_ms * 1000) for bus in settings.buses]
    if json:
        print(json_module.dumps({"event": "plan", "buses": reports}))
    else:
        console = Console(highlight=False)
        for report in reports:
            _show(console, report)
    overfull = [report for report in reports if not report["fits"]]
    if overfull:
        raise TallyError(
            "config.overload",
            file=config,
            bus=overfull[0]["bus"],
            percent=overfull[0]["load_percent"],
            remedy=overfull[0]["remedy"],
        )
    return 0


def report_bus(settings: Settings, bus: Bus, turnaround_us: int) -> dict[str, Any]:
    """The plan of one bus as a plain object: the `--json` contract."""
    bits = character_bits(bus.format)
    timing = line_timing(bus.baud, bits, turnaround_us)
    devices = [device for device in settings.devices if device.bus == bus.name]
    planned = [(d, plan_blocks(d.points, d.profile, timing)) for d in devices]
    loads = tuple(_load(device, blocks) for device, blocks in planned)
    share = share_ppm(loads, timing)
    worst = max(
        (dead_station_ppm(loads, timing, at, DEAD_SHARE_PPM) for at in range(len(loads))),
        default=0,
    )
    return {
        "bus": bus.name,
        "baud": bus.baud,
        "format": bus.format,
        "cycle_ms": round(cycle_us(loads, timing) / 1000, 1),
        "load_percent": round(share / 10_000, 1),
        "load_percent_one_dead": round(worst / 10_000, 1),
        "fits": share <= FULL_PPM,
        "remedy": _remedy(loads, timing, bits, turnaround_us) if share > FULL_PPM else None,
        "devices": [
            _device(device, blocks, load, timing)
            for (device, blocks), load in zip(planned, loads, strict=True)
        ],
    }


def _load(device: Device, blocks: tuple[Block, ...]) -> Load:
    return Load(tuple((block.function, block.count) for block in blocks), device.poll_ms)


def _device(
    device: Device, blocks: tuple[Block, ...], load: Load, timing: Timing
) -> dict[str, Any]:
    single = Load(tuple(_alone(device, index) for index in range(len(device.points))), 1)
    return {
        "device": device.name,
        "station": device.station,
        "poll_ms": device.poll_ms,
        "points": len(device.points),
        "blocks": [
            {"function": b.function, "address": b.address, "count": b.count} for b in blocks
        ],
        "poll_wire_ms": round(poll_us(load, timing) / 1000, 1),
        "one_read_per_point_ms": round(poll_us(single, timing) / 1000, 1),
    }


def _alone(device: Device, index: int) -> tuple[int, int]:
    """(function, count) of reading one point by itself."""
    block = plan_blocks((device.points[index],), device.profile, Timing(1, 1, 1))[0]
    return block.function, block.count


def _remedy(loads: tuple[Load, ...], timing: Timing, bits: int, turnaround_us: int) -> str:
    """What would make it fit, in one line."""
    stretch = stretch_permille(loads, timing) / 1000
    baud = slowest_baud(loads, {rate: line_timing(rate, bits, turnaround_us) for rate in BAUDS})
    faster = f"{baud} baud, or " if baud is not None else ""
    return f"{faster}poll_ms {stretch:.1f} times as long, or fewer points, or a second bus"


def _show(console: Console, report: dict[str, Any]) -> None:
    title = f"{report['bus']}  {report['baud']} {report['format']}"
    table = Table(title=title, title_justify="left", box=None)
    for name in ("device", "station", "every", "points", "reads", "on the wire", "one by one"):
        table.add_column(name, justify="left" if name in ("device", "reads") else "right")
    for device in report["devices"]:
        reads = ", ".join(f"{b['function']}:{b['address']}+{b['count']}" for b in device["blocks"])
        table.add_row(
            device["device"],
            str(device["station"]),
            f"{device['poll_ms'] / 1000:g} s",
            str(device["points"]),
            reads,
            f"{device['poll_wire_ms']:.1f} ms",
            f"{device['one_read_per_point_ms']:.1f} ms",
        )
    console.print(table)
    verdict = "fits" if report["fits"] else "[red]does not fit[/]"
    console.print(
        f"cycle {report['cycle_ms']:.1f} ms, load {report['load_percent']:.1f} %"
        f" ({report['load_percent_one_dead']:.1f} % with one station dead): {verdict}\n"
    )
