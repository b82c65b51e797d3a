"""Which polls a device owed: one a period, each late by less than one.

A poll that comes early, at a start or because the one before was late, is owed where it is; from
it on the next ones are. So every poll that came was owed, and each one lacking has a time.
"""


class Owed:
    """The polls that one definition of a device owes. Takes its polls in the order of time."""

    def __init__(self, poll_ms: int, wall_ms: int) -> None:
        """wall_ms: of its first poll."""
        self._poll_ms = poll_ms
        self._due_ms = wall_ms + poll_ms
        self.first_ms = self.last_ms = wall_ms

    def take(self, wall_ms: int) -> range:
        """The times of the polls that lack before a poll at this time."""
        lacking = self.lack(wall_ms)
        if wall_ms < self._due_ms:
            self._due_ms = wall_ms
        self._due_ms += (len(lacking) + 1) * self._poll_ms
        self.last_ms = max(self.last_ms, wall_ms)
        return lacking

    def lack(self, until_ms: int) -> range:
        """The times of the polls that lack when none comes until this time."""
        if self._poll_ms <= 0:  # no gateway of ours says so
            return range(0)
        periods = max(0, (until_ms - self._due_ms) // self._poll_ms)
        return range(self._due_ms, self._due_ms + periods * self._poll_ms, self._poll_ms)
