"""Which joined module of a device's program a module is in.

A joined module is called after what it is made of, "core" or "app", and stays in memory. An
overlay is called after when it runs: a function that imports it loads it, and it goes when nothing
of it runs any more. Its name is that of no module in the firmware.
"""

from edge.core.errors import ConfigError

#: Joined module -> the packages that are in it; those before it may be imported.
GROUPS = {"core": ("edge.core",), "app": ("edge",)}

#: Overlay -> the modules that are in it. They may import what stays, and nothing imports them but
#: functions.
OVERLAYS: dict[str, tuple[str, ...]] = {
    # When the journal is opened, and after a write that failed.
    "opening": ("edge.ports.esp32.ring_opening", "edge.ports.esp32.ring_recovery"),
    # When the journal cannot be believed.
    "renewal": ("edge.ports.esp32.ring_renewal",),
    # When the room for the journal is short.
    "room": (
        "edge.core.journal.retain",
        "edge.ports.esp32.ring_ranges",
        "edge.ports.esp32.ring_release",
        "edge.ports.esp32.ring_removal",
    ),
    # When a connection to the broker begins or ends.
    "connect": ("edge.core.sync.mqtt_connect", "edge.ports.esp32.socket_open"),
    # When a journal is taken up, and when something is stated about a meter.
    "resume": ("edge.app.replay", "edge.core.carbon.resume"),
    # When the store fails, is full or damaged.
    "mend": ("edge.app.mending",),
    # When a batch leaves, and when one was acknowledged.
    "batch": ("edge.app.sending", "edge.core.sync.batch", "edge.core.sync.row_columns"),
    "settle": ("edge.app.releasing", "edge.core.sync.ack", "edge.core.sync.settling"),
    # At the start, and when a station has refused a read.
    "reads": (
        "edge.app.station_plan",
        "edge.core.bus.holes",
        "edge.core.bus.plain_rule",
        "edge.core.bus.plan",
    ),
    # When a poll is not whole, or brings what is odd, or bytes come out of turn.
    "doubt": ("edge.app.doubt", "edge.core.bus.heard", "edge.core.bus.second_look"),
    # When an accounting interval ends.
    "close": (
        "edge.core.carbon.closing",
        "edge.core.carbon.figures",
        "edge.core.carbon.intensity",
        "edge.core.carbon.kinds",
        "edge.core.carbon.totals",
    ),
    # At the start, while the next is in memory as well.
    "wire": ("edge.core.carbon.wiring",),
    # At the start.
    "start": (
        "edge.app.starting",
        "edge.app.definitions",
        "edge.app.gateway_plan",
        "edge.core.carbon.sources",
        "edge.core.carbon.streams",
        "edge.ports.esp32.board_parts",
        "edge.ports.esp32.config_file",
    ),
}


def group_of(name: str) -> str:
    """The joined module that a module, or what it defines, is in."""
    module = name.partition(":")[0]
    for group, modules in OVERLAYS.items():
        if module in modules:
            return group
    for group, packages in GROUPS.items():
        if any(module == package or module.startswith(package + ".") for package in packages):
            return group
    raise ConfigError("config.file", file=name, reason="belongs to no part of the program")


def may_need(group: str, other: str) -> bool:
    """Whether a joined module may import another when it is loaded."""
    order = list(GROUPS)
    if other in OVERLAYS:
        return False
    return group in OVERLAYS or order.index(other) < order.index(group)
