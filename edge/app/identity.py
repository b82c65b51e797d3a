"""Whose register it is: the serial number of a meter, where its device has a point for it.

Another number, seen so often that it is no slip, confirms that the meter was exchanged. What its
registers have shown since then was held by the count; each held one goes on from its first reading
of the new meter. The exchange ends, and the new number is recorded, when every counter of the
device has been read once more.
"""

from edge.app.station import Station
from edge.core.carbon.account import Accountant
from edge.core.carbon.counter import AGREE
from edge.core.journal.record import Part

#: Why a SWAP was made that no operator confirmed.
WHY = "serial"


class Identity:
    """The serial number of one device's meter."""

    def __init__(self, owner: str, counters: list[tuple[int, int]]) -> None:
        """counters: (device number, point) of every counter of this meter that is accounted."""
        self.owner = owner
        #: As recorded last, None for a device that is new.
        self.known: int | None = None
        self._counters = counters
        self._seen: int | None = None
        self._times = 0
        #: Counters that have not been read since the number was confirmed; None outside of it.
        self._left: list[tuple[int, int]] | None = None

    @property
    def candidate(self) -> int | None:
        """The number that is seen now."""
        return self._seen

    def take(self, serial: int | None) -> None:
        """Take a reading of the number in; the known one ends every doubt."""
        if serial is None:
            return
        if serial != self._seen:
            self._seen, self._times = serial, 0
        self._times += 1
        if serial == self.known:
            self._left = None
        elif self._times >= AGREE and self._left is None and self.known is not None:
            self._left = list(self._counters)

    def confirmed(
        self, account: Accountant, device: int, values: list
    ) -> list[tuple[int, int, int]]:
        """What a poll of one of its devices confirms, after the account has taken it in.

        (device, point, first register of the new meter) of each counter that goes on from it.
        """
        found: list[tuple[int, int, int]] = []
        left = [] if self._left is None else list(self._left)
        for number, point in left:
            held = account.held(number, point)
            if held is not None:
                found.append((number, point, held))
            elif number != device or values[point] is None:
                continue
            if self._left is not None:
                self._left.remove((number, point))
        return found

    def settle(self) -> int | None:
        """The number to record now, if the exchange is over; it is the meter's from here on."""
        is_new = self.known is None and self._times >= AGREE
        if not is_new and (self._left is None or self._left):
            return None
        self.known, self._left = self._seen, None
        return self._seen


class Identities:
    """The serial numbers of all meters that have a point for it."""

    def __init__(self, stations: dict[int, Station], account: Accountant) -> None:
        self._stations, self._account = stations, account
        self._by_owner: dict[str, Identity] = {}
        for number in stations:
            device = stations[number].device
            if device.serial is not None:
                self._by_owner[device.owner] = Identity(
                    device.owner,
                    [
                        (number, tally.point)
                        for number in account.counters
                        for tally in account.counters[number]
                        if self._owner(number) == device.owner
                    ],
                )

    def _owner(self, device: int) -> str:
        station = self._stations.get(device)
        return "" if station is None else str(station.device.owner)

    def know(self, owner: str, serial: int) -> None:
        """Take a recorded number in."""
        if owner in self._by_owner:
            self._by_owner[owner].known = serial

    def take(self, device: int, values: list[int | None]) -> list[list[object]]:
        """Parts of a TABLE that a poll gives cause for: SWAP and SERIAL."""
        owner = self._owner(device)
        if owner not in self._by_owner:
            return []
        identity = self._by_owner[owner]
        serial = self._stations[device].device.serial
        if serial is not None:
            identity.take(values[serial])
        note = f"{identity.known} -> {identity.candidate}"
        parts: list[list[object]] = []
        for number, point, register in identity.confirmed(self._account, device, values):
            name = self._stations[number].device.points[point].name
            parts.append([Part.SWAP, owner, name, None, register, "", WHY, note])
        settled = identity.settle()
        if settled is not None:
            parts.append([Part.SERIAL, owner, settled])
        return parts
