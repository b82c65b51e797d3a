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


class Turn:
    """The deadline of one device."""

    def __init__(self, device: int, period_ms: int, station: int, due_ms: int) -> None:
        self.device = device
        self.period_ms = period_ms
        self.station = station
        self.due_ms = due_ms


class Schedule:
    """Deadlines of the devices of one bus and the health of its stations."""

    def __init__(self, devices: tuple[tuple[int, int, int], ...], now_ms: int) -> None:
        """devices: (device number, period_ms, station). All are due at once, in this order."""
        self.turns = [Turn(number, period, station, now_ms) for number, period, station in devices]
        # Nobody has answered yet: one silent poll is assumed, so that the absent are known soon.
        self._silent = {station: 1 for _, _, station in devices}
        self._probe_at_ms = now_ms
        self._retry_ppm = RETRY_SAVED_MS * RETRY_SHARE_PPM
        self._retry_at_ms = now_ms

    def is_dead(self, station: int) -> bool:
        """True for a station that is only probed."""
        return self._silent.get(station, 0) >= DEAD_AFTER

    def _ready_ms(self, turn: Turn) -> int:
        if self.is_dead(turn.station):
            return max(turn.due_ms, self._probe_at_ms)
        return turn.due_ms

    def next_due_ms(self) -> int | None:
        """When the next device may be polled; None for an empty bus."""
        if not self.turns:
            return None
        return min(self._ready_ms(turn) for turn in self.turns)

    def take(self, now_ms: int) -> int | None:
        """The device to poll now, longest overdue first, or None when none is due.

        A probe goes before healthy devices once its share allows it, else a full bus would never
        find out that a station is back.
        """
        chosen = None
        for turn in self.turns:
            if self._ready_ms(turn) > now_ms:
                continue
            if chosen is None or self._rank(turn) < self._rank(chosen):
                chosen = turn
        return None if chosen is None else chosen.device

    def _rank(self, turn: Turn) -> tuple[bool, int]:
        return not self.is_dead(turn.station), turn.due_ms

    def done(self, device: int, now_ms: int, answered: bool, spent_ms: int = 0) -> None:
        """Take note of a poll that ended at `now_ms` after `spent_ms` on the bus.

        Deadlines stay on the grid of the period; turns that have passed are skipped, not made up.
        """
        for turn in self.turns:
            if turn.device == device:
                self._advance(turn, now_ms)
                self._note(turn.station, now_ms, answered, spent_ms)

    def heard(self, station: int, now_ms: int) -> None:
        """The station has answered: it is alive, and all its devices are due again as planned."""
        if self.is_dead(station):
            for turn in self.turns:
                if turn.station == station:
                    turn.due_ms = min(turn.due_ms, now_ms)
        self._silent[station] = 0

    def _advance(self, turn: Turn, now_ms: int) -> None:
        turn.due_ms += turn.period_ms
        if turn.due_ms < now_ms:
            late_ms = now_ms - turn.due_ms
            turn.due_ms += (late_ms // turn.period_ms + 1) * turn.period_ms

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
