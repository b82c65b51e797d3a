"""gateway.toml as validated settings: every name resolved, every number with its default.

The document's shape has been checked against `gateway.schema.json`; here are the rules that span
keys. Each fault is one ConfigError that names file, key, what was found and what was expected.
"""

from collections import namedtuple

from edge.core.bus.profile import Point, Profile, parse_profile
from edge.core.carbon import cems
from edge.core.carbon.factors import parse_factors
from edge.core.carbon.streams import KINDS, Factor
from edge.core.errors import ConfigError, ProfileError
from edge.core.numbers.fixed import PLACES_MAX, parse_decimal
from edge.core.schema import nearest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

Bus = namedtuple("Bus", ("name", "port", "baud", "format", "reply_timeout_ms"))

#: What is polled at one rate: a device of the configuration, or a group of its points. owner: the
#: device's name; points: tuple of Point in profile order.
Device = namedtuple("Device", ("name", "bus", "station", "profile", "points", "poll_ms", "owner"))

#: A stream with its inputs as (device index, point index); stack: None for a counter, else
#: (cems.Stack, input pairs, status pair or None, accepted status values).
StreamSetting = namedtuple("StreamSetting", ("name", "kind", "input", "factor", "stack"))

Broker = namedtuple("Broker", ("host", "port", "tls"))

LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Settings:
    """Everything a gateway is told; see the schema for meanings and units."""

    def __init__(self, document: dict, file: str, library: "Library") -> None:
        """library: where profiles and factor sets come from. Raises ConfigError."""
        self.file = file
        self._take_gateway(document["gateway"], document["uplink"])
        accounting = document.get("accounting", {})
        self.interval_ms = accounting.get("interval_s", 900) * 1000
        factor_set = accounting.get("factors", "cn_park_910_2025")
        self.factors = library.factors(factor_set, file, "accounting.factors")
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
        self.streams = [
            self._stream(index, item) for index, item in enumerate(document.get("stream", []))
        ]
        self._unique("stream", "name", [stream.name for stream in self.streams])

    def _take_gateway(self, gateway: dict, uplink: dict) -> None:
        self.gateway = gateway["id"]
        self.tenant = gateway["tenant"]
        self.key_file = gateway["key_file"]
        self.journal = gateway["journal"]
        self.commit_ms = gateway.get("commit_ms", 1000)
        self.broker = self._broker(uplink)
        self.ca_file = uplink.get("ca_file")
        self.user = uplink.get("user")
        self.password_file = uplink.get("password_file")
        self.keepalive_s = uplink.get("keepalive_s", 30)
        self.linger_ms = uplink.get("linger_ms", 5000)

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
            self._refuse("uplink.broker", uplink["broker"], "mqtts://host:port")
        if not tls and host not in LOOPBACK and not uplink.get("allow_plain", False):
            self._refuse("uplink.broker", uplink["broker"], "mqtts:// (or allow_plain = true)")
        return Broker(host, int(number), tls)

    def _refuse(self, key: str, found: object, expected: str) -> None:
        raise ConfigError("config.value", file=self.file, key=key, found=found, expected=expected)

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
        known = [point.name for point in profile.points]
        groups = item.get("group", [])
        apart = [name for group in groups for name in group["points"]]
        rest = item.get("points", [name for name in known if name not in apart])
        for name in rest + apart:
            if name not in known:
                self._unknown(where + ".points", name, known)
        self._unique(where, "points", rest + apart)
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

    def point(self, place: tuple[int, int]) -> Point:
        """The profile's point at (device index, point index)."""
        found: Point = self.devices[place[0]].points[place[1]]
        return found

    def _stream(self, index: int, item: dict) -> StreamSetting:
        where = f"stream[{index}]"
        kind = item["kind"]
        if kind == "stack_co2":
            if "stack" not in item:
                self._missing(where + ".stack", "the table of the stack's measurements")
            stack = self._stack(item["stack"], where + ".stack")
            return StreamSetting(item["name"], kind, stack[1][0], None, stack)
        if "point" not in item:
            self._missing(where + ".point", "device.point of a counter")
        place = self.locate(item["point"], where + ".point")
        point = self.point(place)
        if point.point_class != "counter":
            self._refuse(where + ".point", item["point"], "a point of class counter")
        return StreamSetting(item["name"], kind, place, self._factor(item, where), None)

    def _missing(self, key: str, expected: str) -> None:
        raise ConfigError("config.missing_key", file=self.file, key=key, expected=expected)

    def _factor(self, item: dict, where: str) -> Factor | None:
        if "factor" not in item:
            if KINDS[item["kind"]].emission:
                self._missing(where + ".factor", "a factor id of the factor set")
            return None
        for factor in self.factors:
            if factor.id == item["factor"]:
                return factor
        self._unknown(where + ".factor", item["factor"], [factor.id for factor in self.factors])
        return None

    def _stack(self, item: dict, where: str) -> tuple:
        places = [
            self.locate(item[key], where + "." + key)
            for key in ("co2", "velocity", "temperature", "pressure", "moisture")
        ]
        units = ("%{vol}", "m/s", "Cel", "Pa", "%{vol}")
        for place, unit in zip(places, units):
            point = self.point(place)
            if point.unit != unit:
                self._refuse(where, point.name + " in " + point.unit, "a point in " + unit)
        area = self._area(item["area_m2"], where + ".area_m2")
        stack = cems.Stack(cems.METHODS[item["method"]], area, item["ambient_pa"], item["basis"])
        status = None
        if "status" in item:
            status = self.locate(item["status"], where + ".status")
            if "status_ok" not in item:
                self._missing(where + ".status_ok", "the status values that mean measuring")
        return stack, places, status, tuple(item.get("status_ok", ()))

    def _area(self, text: str, key: str) -> tuple[int, int]:
        _, _, fraction = text.partition(".")
        if len(fraction) > PLACES_MAX:
            self._refuse(key, text, f"at most {PLACES_MAX} decimal places")
        area = parse_decimal(text)
        if area[0] == 0:
            self._refuse(key, text, "more than 0")
        return area


class Library:
    """Profiles and factor sets by name, each read and parsed once."""

    def __init__(
        self,
        read_profile: "Callable[[str, str, str], dict[str, object]]",
        read_factors: "Callable[[str, str, str], dict[str, object]]",
    ) -> None:
        """The readers take (name, file that asks, key that asks) and return a document."""
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

    def factors(self, name: str, file: str, key: str) -> tuple[Factor, ...]:
        """All factors of the set `name`."""
        return parse_factors(self._read_factors(name, file, key), name)
