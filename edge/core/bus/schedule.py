"""Whose turn it is on one bus: monotonic deadlines, and patience with stations that are silent.

Time is an argument (`now_ms`, monotonic). Turns belong to devices, silence to stations: several
devices may be one station polled at several rates. A station that stayed silent DEAD_AFTER polls
in a row is dead: it is only probed, one probe at a time on the bus, and all probes together take
at most DEAD_SHARE_PPM of the bus's time. Its first answer brings it back at once.
"""

MILLION = 1_000_000

#: Silent polls in a row after which a station is only probed.
DEAD_AFTER = 3

#: Share of the bus's time for probing the dead, and for asking again after a lost reply.
DEAD_SHARE_PPM = 30_000
RETRY_SHARE_PPM = 50_000

#: Retries may save up this much of their share for a bad moment.
RETRY_SAVED_MS = 20_000


class Schedule:
    """Deadlines of the devices of one bus and the health of its stations.

    numbers, due_ms: of the devices, and when each may be polled again.
    """

    def __init__(self, devices: tuple[tuple[int, int, int], ...], now_ms: int) -> None:
        """devices: (device number, period_ms, station). All are due at once, in this order."""
        self.numbers = tuple([device[0] for device in devices])
        self.due_ms = [now_ms] * len(devices)
        self._periods_ms = tuple([device[1] for device in devices])
        self._stations = tuple([device[2] for device in devices])
        # Nobody has answered yet: one silent poll is assumed, so that the absent are known soon.
        self._silent = {station: 1 for station in self._stations}
        self._probe_at_ms = now_ms
        self._retry_ppm = RETRY_SAVED_MS * RETRY_SHARE_PPM
        self._retry_at_ms = now_ms

    def is_dead(self, station: int) -> bool:
        """True for a station that is only probed."""
        return self._silent.get(station, 0) >= DEAD_AFTER

    def _ready_ms(self, at: int) -> int:
        due_ms = self.due_ms[at]
        if due_ms < self._probe_at_ms and self.is_dead(self._stations[at]):
            return self._probe_at_ms
        return due_ms

    def next_due_ms(self) -> int | None:
        """When the next device may be polled; None for an empty bus."""
        if not self.due_ms:
            return None
        due_ms = min(self.due_ms)
        if due_ms >= self._probe_at_ms:
            return due_ms  # as nearly always: no dead one has to wait for its probe
        return min([self._ready_ms(at) for at in range(len(self.due_ms))])

    def take(self, now_ms: int) -> int | None:
        """The device to poll now, longest overdue first, or None when none is due.

        A probe goes before healthy devices once its share allows it, else a full bus would never
        find out that a station is back.
        """
        if not self.due_ms or min(self.due_ms) > now_ms:
            return None
        chosen = chosen_rank = None
        for at in range(len(self.numbers)):
            if self.due_ms[at] <= now_ms and self._ready_ms(at) <= now_ms:
                rank = (not self.is_dead(self._stations[at]), self.due_ms[at])
                if chosen_rank is None or rank < chosen_rank:
                    chosen, chosen_rank = self.numbers[at], rank
        return chosen

    def done(self, device: int, now_ms: int, answered: bool, spent_ms: int = 0) -> None:
        """Take note of a poll that ended at `now_ms` after `spent_ms` on the bus.

        Deadlines stay on the grid of the period; turns that have passed are skipped, not made up.
        """
        at = self.numbers.index(device)
        self._advance(at, now_ms)
        self._note(self._stations[at], now_ms, answered, spent_ms)

    def heard(self, station: int, now_ms: int) -> None:
        """The station has answered: it is alive, and all its devices are due again as planned."""
        if self.is_dead(station):
            for at in range(len(self.numbers)):
                if self._stations[at] == station:
                    self.due_ms[at] = min(self.due_ms[at], now_ms)
        self._silent[station] = 0

    def _advance(self, at: int, now_ms: int) -> None:
        period_ms = self._periods_ms[at]
        due_ms = self.due_ms[at] + period_ms
        if due_ms < now_ms:
            due_ms += ((now_ms - due_ms) // period_ms + 1) * period_ms
        self.due_ms[at] = due_ms

    def _note(self, station: int, now_ms: int, answered: bool, spent_ms: int) -> None:
        if answered:
            self.heard(station, now_ms)
            return
        if self.is_dead(station):
            rest_ms = -(-spent_ms * (MILLION - DEAD_SHARE_PPM) // DEAD_SHARE_PPM)
            self._probe_at_ms = now_ms + rest_ms
        self._silent[station] = min(self._silent.get(station, 0) + 1, DEAD_AFTER)

    def may_retry(self, station: int, now_ms: int, cost_ms: int) -> bool:
        """True, and paid for, when a lost reply of this station may be asked for again now.

        A station that was silent before gets none; all retries share RETRY_SHARE_PPM.
        """
        elapsed_ms = min(now_ms - self._retry_at_ms, RETRY_SAVED_MS)
        saved = self._retry_ppm + elapsed_ms * RETRY_SHARE_PPM
        self._retry_ppm = min(saved, RETRY_SAVED_MS * RETRY_SHARE_PPM)
        self._retry_at_ms = now_ms
        price = cost_ms * MILLION
        if self._silent.get(station, 0) or self._retry_ppm < price:
            return False
        self._retry_ppm -= price
        return True
