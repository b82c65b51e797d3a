"""The product's own gateway, put together on simulated ports."""

from edge.app import recorder as recorder_module
from edge.app import uploader as uploader_module
from edge.app.config import Settings
from edge.app.definitions import Definitions, define_streams
from edge.app.gateway import Gateway
from edge.app.poller import Poller
from edge.app.recorder import Recorder
from edge.app.station_plan import plan_station
from edge.app.uploader import Uploader
from edge.core.carbon.account import Accountant
from edge.core.journal.record import Kind, decode_record
from edge.core.journal.retain import Removal
from edge.ports.sim.clock import SimClock
from edge.ports.sim.link import SimLink
from edge.ports.sim.store import Rows, SimStore
from edge.ports.sim.uplink import SimUplink
from hil_tests.soak.ledger import Ledger
from hil_tests.soak.site import GATEWAY, KEY, TENANT

SOFTWARE_DIGEST = bytes(32)

#: Most records in a batch. With fewer, an outage of some hours leaves a backlog behind which live
#: records go first.
RECORDS_MAX = uploader_module.RECORDS_MAX

# The site has no stack, so nothing is looked back for: a shorter look changes no figure.
recorder_module.CHUNK = 100

#: A gateway that nothing wakes looks around this often.
LOOK_MS = 3_600_000


class PowerCut(BaseException):  # noqa: N818
    """The gateway ends here, in the middle of whatever it does."""


class WatchedStore(SimStore):
    """A store that tells the ledger what it has promised."""

    ledger: Ledger

    def append(self, rows: Rows) -> None:
        super().append(rows)
        self.ledger.found(self.journal)
        self.ledger.committed(self.epoch, rows)

    def remove(self, rows: Rows, removal: Removal) -> None:
        super().remove(rows, removal)
        self.ledger.found(self.journal)
        self.ledger.committed(self.epoch, rows)

    def renew(self, reason: str) -> None:
        super().renew(reason)
        self.ledger.found(self.journal)


class SimGateway(Gateway):
    """A gateway that is not called for looks at clock and socket that find nothing."""

    clock: SimClock
    link: SimLink

    def _next_ms(self, now_ms: int) -> int:
        return needed_ms(self, self.link, self.clock)


def start_gateway(
    settings: Settings, store: SimStore, clock: SimClock, link: SimLink, uplink: SimUplink
) -> Gateway:
    """The gateway of these settings, started as the service starts it."""
    tables = [decode_record(data).body for data in store.of_kind(Kind.TABLE)]
    definitions = Definitions([part for table in tables for part in table])
    definitions.config(SOFTWARE_DIGEST, "sim")
    for found in settings.factor_sets:
        definitions.factor_set(found.id, found.digest)
    numbers = [definitions.device(device) for device in settings.devices]
    streams = define_streams(settings, numbers, definitions)
    bus = settings.buses[0]
    stations = [
        plan_station(number, device, bus, *definitions.learned(number))
        for number, device in zip(numbers, settings.devices, strict=True)
    ]
    gateway = SimGateway(
        [Poller(bus, stations, link, 0)],
        Recorder(store, clock, settings.commit_ms),
        Accountant(streams, settings.interval_ms),
        Uploader(uplink, store, GATEWAY, TENANT, KEY, settings.linger_ms, RECORDS_MAX),
    )
    gateway.clock, gateway.link = clock, link
    ancestors = {stream.number: definitions.predecessors(stream) for stream in streams}
    gateway.start(definitions.fresh(), ancestors, 0)
    return gateway


def needed_ms(gateway: Gateway, link: SimLink, clock: SimClock) -> int:
    """Mono time of the next step that can do anything but look at clock and socket."""
    mono_ms = clock.mono_ms()
    least_ms = mono_ms + LOOK_MS
    if link.ready_ms is not None:
        least_ms = min(least_ms, link.ready_ms - clock.boot_ms)
    recorder, uploader = gateway.recorder, gateway.uploader
    due = [poller.next_ms() for poller in gateway.pollers]
    due.append(recorder.next_ms())
    boundary_ms = gateway.accountant.due_ms()
    anchor = recorder.anchor
    if boundary_ms is not None and anchor.quality and anchor.offset_ms is not None:
        due.append(max(mono_ms + 1, boundary_ms - anchor.offset_ms))
    wanted_ms = uploader.next_ms(mono_ms)
    # Due now and not done: there is no room, or nothing that may be sent.
    due.append(mono_ms + 1_000 if wanted_ms == mono_ms else wanted_ms)
    for due_ms in due:
        if due_ms is not None and due_ms < least_ms:
            least_ms = due_ms
    return least_ms
