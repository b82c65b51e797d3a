"""What is on the pair, character by character, on an absolute schedule: no I/O and no clock.

Every sender's characters have their own times. Where two senders' characters overlap, a receiver
sees the AND of both, in the time of the character that was planned first. A character may be
read no earlier than its end.
"""

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass

COLLISION, UNPLUG = "collision", "unplug"

#: Characters that only touch do not overlap; sums of floats may differ by this much.
_TOUCH_S = 1e-7


@dataclass(eq=False)
class Sending:
    """Bytes that one sender puts on the pair from monotonic `start_s` on.

    sent: called once it is over, with itself and the wall clock in ms.
    sender: what one sender sends comes one after the other; two senders may collide.
    pause: (index, characters): silence before the byte at `index`.
    is_on_pair: False for what an adapter makes up or held back; it meets nothing on the pair.
    after_next_s: start this long after the next request begins instead of at start_s.
    unplug_s: the adapter is unplugged at the end, for so long.
    end_s, spoilt_by: known once it is over; spoilt_by is COLLISION, UNPLUG or None.
    """

    data: bytes
    start_s: float
    sent: "Callable[[Sending, int], None]"
    sender: object = None
    pause: tuple[int, float] = (0, 0.0)
    is_on_pair: bool = True
    after_next_s: float | None = None
    unplug_s: float = 0.0
    end_s: float = 0.0
    spoilt_by: str | None = None


@dataclass(slots=True)
class _Slot:
    """One character of a sending; of the master's without one."""

    begin_s: float
    end_s: float
    byte: int
    sending: Sending | None
    is_spoilt: bool = False

    def meets(self, other: "_Slot") -> bool:
        is_apart = self.end_s <= other.begin_s + _TOUCH_S
        return not is_apart and self.begin_s < other.end_s - _TOUCH_S


class Wire:
    """The pair of one bus.

    busy_until_s: end of the last character that was on the pair.
    """

    def __init__(self, character_s: float) -> None:
        self._character_s = character_s
        self._slots: list[_Slot] = []
        self._sendings: list[Sending] = []
        self._heard: list[_Slot] = []
        self._is_request_spoilt = False
        self.busy_until_s = 0.0

    def put(self, sending: Sending) -> None:
        """Plan the characters of `sending` from its start_s on, or after its sender's last."""
        mine = [other.end_s for other in self._sendings if other.sender == sending.sender]
        start_s = max([sending.start_s, *mine])
        sending.end_s = start_s
        is_alone = not sending.is_on_pair or start_s >= self._planned_until_s() - _TOUCH_S
        index, characters = sending.pause
        for number, byte in enumerate(sending.data):
            lag = number + (characters if number >= index else 0)
            begin_s = start_s + lag * self._character_s
            sending.end_s = begin_s + self._character_s
            slot = _Slot(begin_s, sending.end_s, byte, sending)
            if is_alone or not self._merge(slot):
                self._insert(slot)
        self._sendings.append(sending)

    def _planned_until_s(self) -> float:
        ends = [slots[-1].end_s for slots in (self._slots, self._heard) if slots]
        return max(ends, default=0.0)

    def _insert(self, slot: _Slot) -> None:
        """Slots are kept in the order of their ends."""
        if not self._slots or self._slots[-1].end_s <= slot.end_s:
            self._slots.append(slot)
        else:
            insort(self._slots, slot, key=lambda other: other.end_s)

    def _merge(self, slot: _Slot) -> bool:
        """Put `slot` into those that it meets; False if it meets none."""
        is_met = False
        for other in reversed(self._slots):
            if other.end_s <= slot.begin_s:
                break
            if other.sending is not None and other.sending.is_on_pair and other.meets(slot):
                is_met = True
                if other.byte & slot.byte != other.byte:
                    other.sending.spoilt_by = COLLISION
                other.byte &= slot.byte
        if any(other.meets(slot) for other in self._heard):
            self._is_request_spoilt = True
            is_met = True
        if is_met and slot.sending is not None:
            slot.sending.spoilt_by = COLLISION
        return is_met

    def hear(self, data: bytes, now_s: float) -> float:
        """Take the master's own characters; return when the first of them begins.

        That is now or after its last one. Where they meet a reply they spoil both.
        """
        self._heard = [slot for slot in self._heard if slot.end_s > now_s]
        first_s = begin_s = max([now_s, *(slot.end_s for slot in self._heard[-1:])])
        for byte in data:
            slot = _Slot(begin_s, begin_s + self._character_s, byte, None)
            begin_s = slot.end_s
            self._heard.append(slot)
            self._spoil(slot)
        self.busy_until_s = max(self.busy_until_s, begin_s)
        return first_s

    def _spoil(self, slot: _Slot) -> None:
        for other in self._slots:
            if other.begin_s >= slot.end_s:
                break
            if other.sending is not None and other.sending.is_on_pair and other.meets(slot):
                if not other.is_spoilt:
                    mixed = other.byte & slot.byte
                    other.byte = mixed if mixed != other.byte else other.byte ^ 0xFF
                other.is_spoilt = True
                other.sending.spoilt_by = COLLISION
                self._is_request_spoilt = True

    def take_spoilt(self) -> bool:
        """Whether the request heard since the last call met anything."""
        is_spoilt = self._is_request_spoilt
        self._is_request_spoilt = False
        return is_spoilt

    @property
    def is_idle(self) -> bool:
        """Whether nothing is planned."""
        return not self._sendings

    def next_s(self, is_paced: bool, in_bursts: bool = False) -> float:
        """When something is due; infinity for nothing."""
        due_s = min((sending.end_s for sending in self._sendings), default=float("inf"))
        if self._slots and not in_bursts:
            first = self._slots[0]
            due_s = min(due_s, first.end_s if is_paced else first.begin_s)
        return due_s

    def take_due(self, now_s: float, in_bursts: bool = False) -> bytes:
        """The bytes whose time has passed; in_bursts: none before the whole sending has."""
        count = 0
        while count < len(self._slots) and self._is_due(self._slots[count], now_s, in_bursts):
            count += 1
        return self._take(count)

    def _is_due(self, slot: _Slot, now_s: float, in_bursts: bool) -> bool:
        whole = slot.sending if in_bursts else None
        return (slot.end_s if whole is None else whole.end_s) <= now_s

    def handed_over_s(self) -> float:
        """When the last ends that a port which paces them itself has been given whole."""
        waiting = {id(slot.sending) for slot in self._slots}
        ends = [sending.end_s for sending in self._sendings if id(sending) not in waiting]
        return max(ends, default=0.0)

    def take_run(self, now_s: float) -> bytes:
        """The bytes of the run that has begun, to its end, for a port that paces them itself."""
        count, end_s = 0, now_s
        while count < len(self._slots) and self._slots[count].begin_s <= end_s + _TOUCH_S:
            end_s = max(end_s, self._slots[count].end_s)
            count += 1
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken = self._slots[:count]
        del self._slots[:count]
        for slot in taken:
            if slot.sending is not None and slot.sending.is_on_pair:
                self.busy_until_s = max(self.busy_until_s, slot.end_s)
        return bytes(slot.byte for slot in taken)

    def take_over(self, now_s: float) -> list[Sending]:
        """The sendings that have ended."""
        over = [sending for sending in self._sendings if sending.end_s <= now_s]
        if over:
            self._sendings = [sending for sending in self._sendings if sending.end_s > now_s]
        return over

    def clear(self) -> list[Sending]:
        """Forget everything, as the port goes; the sendings that were cut off."""
        cut_off, self._sendings = self._sendings, []
        for sending in cut_off:
            sending.spoilt_by = UNPLUG
        self._slots.clear()
        self._heard.clear()
        self._is_request_spoilt = False
        return cut_off
