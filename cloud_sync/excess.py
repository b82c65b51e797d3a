"""Which gateways send more than is taken of them: news of its beginning and its end. Pure."""

from typing import NamedTuple

from cloud_sync.fair import BURST_S
from edge.core.errors import SyncError

#: A gateway is within its rate again when nothing of it had to wait for so long.
QUIET_US = BURST_S * 1_000_000

#: Who is not in the key file is one sender.
STRANGERS = "?"

#: (name, fields) of a notice.
News = tuple[str, dict[str, object]]


class _Spell(NamedTuple):
    slowed: int
    dropped: int
    last_us: int


class Excess:
    """Counts by gateway. rate: messages a second of one gateway."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._spells: dict[str, _Spell] = {}

    def slowed(self, owner: str, now_us: int) -> News | None:
        """A message waits for the gateway's rate; owner: as `Receiver.owner_of` has it."""
        return self._add(owner, 1, 0, now_us)

    def dropped(self, owner: str, now_us: int) -> News | None:
        """A message found no room; its gateway sends it again."""
        return self._add(owner, 0, 1, now_us)

    def passed(self, owner: str, now_us: int) -> News | None:
        """A message need not wait for the rate."""
        spell = self._spells.get(owner)
        if spell is None or now_us - spell.last_us < QUIET_US:
            return None
        del self._spells[owner]
        counts = {"slowed": spell.slowed, "dropped": spell.dropped}
        return "within", {"gateway": owner or STRANGERS, **counts}

    def _add(self, owner: str, slowed: int, dropped: int, now_us: int) -> News | None:
        before = self._spells.get(owner)
        was_slowed, was_dropped, _ = before or _Spell(0, 0, 0)
        self._spells[owner] = _Spell(was_slowed + slowed, was_dropped + dropped, now_us)
        if before is not None:
            return None
        error = SyncError("sync.rate", gateway=owner or STRANGERS, rate=self._rate)
        return "over", {"error": error}
