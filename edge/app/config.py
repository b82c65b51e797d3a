"""gateway.toml as validated settings: every name resolved, every number with its default.

The document's shape has been checked against `gateway.schema.json`; here are the rules that span
keys. Each fault is one ConfigError that names file, key, what was found and what was expected.
"""

from collections import namedtuple

from edge.app.facts import read_facts, read_swaps, read_windows
from edge.app.streams import StreamReader
from edge.core.bus.points import Point
from edge.core.bus.profile import Profile, parse_profile
from edge.core.carbon.factors import FactorSet, apply_overrides, parse_set
from edge.core.errors import ConfigError, ProfileError
from edge.core.schema import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.core.carbon.tariff import Tariff

Bus = namedtuple("Bus", ("name", "port", "baud", "format", "reply_timeout_ms"))

#: What is polled at one rate: a device of the configuration, or a group of its points. owner: the
#: device's name; points: tuple of Point in profile order.
#: serial: index of the point that is its meter's serial number, or None.
Device = namedtuple(
    "Device", ("name", "bus", "station", "profile", "points", "poll_ms", "owner", "serial")
)

Broker = namedtuple("Broker", ("host", "port", "tls"))

CHINA_OFFSET_MIN = 480

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Settings:
    """Everything a gateway is told; see the schema for meanings and units."""

    def __init__(self, document: dict, file: str, library: "Library") -> None:
        """library: where profiles and factor sets come from. Raises ConfigError."""
        self.file = file
        self._take_gateway(document["gateway"], document["uplink"])
        self.status_port: int | None = document.get("status", {}).get("port")
        accounting = document.get("accounting", {})
        self.interval_ms = accounting.get("interval_s", 900) * 1000
        self._library = library
        self._main_set = accounting.get("factors", "cn_park_910_2025")
        self._sets = {"": library.factor_set(self._main_set, file, "accounting.factors")}
        self._override(document.get("override", []))
        self.factors = self._sets[""].factors
        self._take_accounting(accounting)
        self.buses = [
            Bus(
                bus["name"],
                bus["port"],
                bus.get("baud", 9600),
                bus.get("format", "8N1"),
                bus.get("reply_timeout_ms", 300),
            )
            for bus in document["bus"]
        ]
        self._unique("bus", "name", [bus.name for bus in self.buses])
        self._unique("bus", "port", [bus.port for bus in self.buses])
        self.devices: list[Device] = []
        for index, item in enumerate(document["device"]):
            self.devices.extend(self._device(index, item, library))
        self._unique("device", "name", [device.name for device in self.devices])
        stations = [f"{item['bus']}/{item['station']}" for item in document["device"]]
        self._unique("device", "bus/station", stations)
        self.streams = StreamReader(self, document).read()
        self.swaps = read_swaps(self, document.get("swap", []))
        offset_ms = accounting.get("utc_offset_min", CHINA_OFFSET_MIN) * 60_000
        self.facts = read_facts(document.get("fact", []), offset_ms, file)
        self.windows = read_windows(self, document.get("window", []))
        self._unique("fact", "name", [fact.name for fact in self.facts])

    def _take_accounting(self, accounting: dict) -> None:
        self.basis = accounting.get("basis", self._main_set)
        self.bases = accounting.get("bases", [])
        self._unique("accounting", "bases", [self.basis] + self.bases)
        #: Accountings of standard coal.
        self.coal = accounting.get("coal", [])
        self._unique("accounting", "coal", self.coal)
        self.tariffs = [
            self._library.tariff(name, self.file, "accounting.tariffs")
            for name in accounting.get("tariffs", [])
        ]
        self._unique("accounting", "tariffs", [tariff.id for tariff in self.tariffs])

    def _take_gateway(self, gateway: dict, uplink: dict) -> None:
        self.gateway = gateway["id"]
        self.tenant = gateway["tenant"]
        self.key_file = gateway["key_file"]
        self.journal = gateway["journal"]
        self.quota_bytes: int | None = gateway.get("quota_bytes")
        self.commit_ms = gateway.get("commit_ms", 1000)
        self.broker = self._broker(uplink)
        self.ca_file = uplink.get("ca_file")
        self.user = uplink.get("user")
        self.password_file = uplink.get("password_file")
        self.keepalive_s = uplink.get("keepalive_s", 30)
        self.linger_ms = uplink.get("linger_ms", 5000)
        self.deflate = uplink.get("deflate", False)

    def _broker(self, uplink: dict) -> Broker:
        scheme, _, rest = uplink["broker"].partition("://")
        host, colon, port = rest.rpartition(":")
        if not colon:
            host, port = rest, ""
        tls = scheme == "mqtts"
        host = host.strip("[]")
        number = port if port else ("8883" if tls else "1883")
        digits = all(c in "0123456789" for c in number)  # isdigit() takes superscripts too
        if not digits or not 0 < int(number) < 65536 or not host:
            self.refuse("uplink.broker", uplink["broker"], "mqtts://host:port")
        if not tls and host not in LOOPBACK and not uplink.get("allow_plain", False):
            self.refuse("uplink.broker", uplink["broker"], "mqtts:// (or allow_plain = true)")
        return Broker(host, int(number), tls)

    def refuse(self, key: str, found: object, expected: str) -> None:
        """Raise ConfigError "config.value" about a key of this file."""
        raise ConfigError("config.value", file=self.file, key=key, found=found, expected=expected)

    def missing(self, key: str, expected: str) -> None:
        """Raise ConfigError "config.missing_key"."""
        raise ConfigError("config.missing_key", file=self.file, key=key, expected=expected)

    def _unknown(self, key: str, found: str, known: list[str]) -> None:
        guess = nearest(found, known) or "one of " + ", ".join(known)
        raise ConfigError("config.reference", file=self.file, key=key, found=found, nearest=guess)

    def _unique(self, table: str, key: str, values: list[str]) -> None:
        for index, value in enumerate(values):
            if value in values[:index]:
                raise ConfigError(
                    "config.duplicate", file=self.file, key=table + "." + key, found=value
                )

    def _device(self, index: int, item: dict, library: "Library") -> list[Device]:
        """A device and its groups, each as something to poll."""
        where = f"device[{index}]"
        names = [bus.name for bus in self.buses]
        if item["bus"] not in names:
            self._unknown(where + ".bus", item["bus"], names)
        profile = library.profile(item["profile"], self.file, where + ".profile")
        if profile.confidence == "low" and not item.get("accept_low_confidence", False):
            expected = "accept_low_confidence = true, after a test on the device"
            self.refuse(where + ".profile", item["profile"] + " (low confidence)", expected)
        known = [point.name for point in profile.points]
        groups = item.get("group", [])
        apart = [name for group in groups for name in group["points"]]
        rest = item.get("points", [name for name in known if name not in apart])
        for name in rest + apart:
            if name not in known:
                self._unknown(where + ".points", name, known)
        self._unique(where, "points", rest + apart)
        serial = item.get("serial_point")
        if serial is not None and serial not in rest + apart:
            self._unknown(where + ".serial_point", serial, rest + apart)
        parts = [(item["name"], rest, item.get("poll_ms", 10_000))] if rest else []
        for group in groups:
            parts.append((item["name"] + "-" + group["name"], group["points"], group["poll_ms"]))
        return [
            Device(
                name,
                item["bus"],
                item["station"],
                profile,
                profile.select(tuple(points)),
                poll_ms,
                item["name"],
                _place_of(serial, points),
            )
            for name, points, poll_ms in parts
        ]

    def locate(self, reference: str, key: str) -> tuple[int, int]:
        """(device index, point index) of a "device.point" reference; groups are looked into."""
        name, _, point_name = reference.partition(".")
        owned = [at for at, device in enumerate(self.devices) if device.owner == name]
        if not owned:
            self._unknown(key, name, [device.owner for device in self.devices])
        known = []
        for at in owned:
            points = [point.name for point in self.devices[at].points]
            if point_name in points:
                return at, points.index(point_name)
            known += [name + "." + point for point in points]
        self._unknown(key, reference, known)
        return -1, -1

    def _override(self, items: list[dict]) -> None:
        """Put the site's own numbers into the sets that they name, "set.id" or "id"."""
        by_set: dict[str, list[dict[str, object]]] = {}
        for index, item in enumerate(items):
            kind = "fuel" if "fuel" in item else "factor"
            if kind not in item or ("fuel" in item and "factor" in item):
                self.refuse(f"override[{index}]", "neither or both", "a factor or a fuel")
            name, dot, rest = item[kind].partition(".")
            own = dict(item)
            own[kind] = rest if dot else name
            name = name if dot and name != self._main_set else ""
            self.factor_set(name, f"override[{index}].{kind}")
            by_set.setdefault(name, []).append(own)
        for name in by_set:
            self._sets[name] = apply_overrides(self._sets[name], by_set[name], self.file)

    def factor_set(self, name: str, key: str) -> FactorSet:
        """A factor set by name; "" or its own name for the main one, a site's numbers in it."""
        if name == self._main_set:
            name = ""
        if name not in self._sets:
            self._sets[name] = self._library.factor_set(name, self.file, key)
        return self._sets[name]

    @property
    def factor_sets(self) -> list[FactorSet]:
        """Every set that a stream names, the main one first."""
        return [self._sets[""]] + [self._sets[n] for n in sorted(self._sets, key=str) if n]

    def point(self, place: tuple[int, int]) -> Point:
        """The profile's point at (device index, point index)."""
        found: Point = self.devices[place[0]].points[place[1]]
        return found


def _place_of(name: str | None, points: list[str]) -> int | None:
    return points.index(name) if name in points else None


class Library:
    """Profiles and factor sets by name, each read and parsed once."""

    def __init__(
        self,
        read_profile: "Callable[[str, str, str], dict[str, object]]",
        read_factors: "Callable[[str, str, str], dict[str, object]]",
        read_tariff: "Callable[[str, str, str], dict[str, object]] | None" = None,
    ) -> None:
        """The readers take (name, file that asks, key that asks) and return a document.

        read_tariff: of a site's own file; None where there are none.
        """
        self._read_tariff = read_tariff
        self._read_profile = read_profile
        self._read_factors = read_factors
        self._profiles: dict[str, Profile] = {}

    def profile(self, name: str, file: str, key: str) -> Profile:
        """The profile `name`; ConfigError says who asked for a wrong one."""
        if name not in self._profiles:
            document = self._read_profile(name, file, key)
            if document["id"] != name:
                raise ProfileError(
                    "config.profile", profile=name, reason="its id is " + str(document["id"])
                )
            self._profiles[name] = parse_profile(document)
        return self._profiles[name]

    def factor_set(self, name: str, file: str, key: str) -> FactorSet:
        """The factor set `name`."""
        return parse_set(self._read_factors(name, file, key), name)

    def tariff(self, name: str, file: str, key: str) -> "Tariff":
        """The tariff in a site's own file; ConfigError says what is wrong with it."""
        from edge.core.carbon.tariff import parse_tariff

        if self._read_tariff is None:
            raise ConfigError(
                "config.value", file=file, key=key, found=name, expected="no tariff here"
            )
        return parse_tariff(self._read_tariff(name, file, key), name)
