"""Whose turn it is on one bus: a monotonic deadline per device, and patience with silent ones.

Time is an argument (`now_ms`, monotonic). A device that stays silent is asked ever more rarely,
so that its timeouts cannot starve the others; one good reply restores its full rate.
"""

#: A silent device is asked again after at most this many of its periods.
BACKOFF_PERIODS_MAX = 32


class Turn:
    """The schedule of one device."""

    def __init__(self, device: int, period_ms: int, due_ms: int) -> None:
        self.device = device
        self.period_ms = period_ms
        self.due_ms = due_ms
        self.silent_polls = 0


class Schedule:
    """Deadlines of the devices of one bus."""

    def __init__(self, devices: tuple[tuple[int, int], ...], now_ms: int) -> None:
        """devices: (device number, period_ms). All are due at once, in the order given."""
        self.turns = [Turn(device, period_ms, now_ms) for device, period_ms in devices]

    def next_due_ms(self) -> int | None:
        """When the next device is due; None for an empty bus."""
        if not self.turns:
            return None
        return min(turn.due_ms for turn in self.turns)

    def take(self, now_ms: int) -> int | None:
        """The device to poll now, longest overdue first, or None when none is due."""
        chosen = None
        for turn in self.turns:
            if turn.due_ms <= now_ms and (chosen is None or turn.due_ms < chosen.due_ms):
                chosen = turn
        return None if chosen is None else chosen.device

    def done(self, device: int, now_ms: int, answered: bool) -> None:
        """Set the device's next deadline after a poll that ended at `now_ms`.

        Deadlines stay on the grid of the period; turns that have passed are skipped, not made up.
        """
        for turn in self.turns:
            if turn.device == device:
                # Bounded: years of silence must not become a shift by a million.
                silent = min(turn.silent_polls + 1, BACKOFF_PERIODS_MAX)
                turn.silent_polls = 0 if answered else silent
                periods = 1
                if turn.silent_polls > 1:
                    periods = min(1 << (turn.silent_polls - 1), BACKOFF_PERIODS_MAX)
                turn.due_ms += periods * turn.period_ms
                if turn.due_ms < now_ms:
                    late = now_ms - turn.due_ms
                    turn.due_ms += (late // turn.period_ms + 1) * turn.period_ms
