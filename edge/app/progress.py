"""Whether a gateway gets on with its work: what its watchdog is fed by.

Work that is due has to be done within a limit: a transaction that runs has to end, a poll that is
due has to begin, records that wait have to be committed, an attempt to connect has to end, and
what is not acked has to be sent again when patience is over. Failures count as progress: a dead
station or a full disk is being handled, and a restart would only cost the records in memory. What
counts against it is that nothing comes back at all.
"""

from edge.app.gateway import Gateway
from edge.core.sync.bounds import DEAF_MAX_MS


class Progress:
    """Looks at a gateway after each step. limit_ms: how long work may be due."""

    def __init__(self, gateway: Gateway, limit_ms: int, now_ms: int) -> None:
        self._gateway = gateway
        self._limit_ms = limit_ms
        self._buses = [(-1, now_ms) for _ in gateway.pollers]
        self._commit = (-1, now_ms)
        self._sync: tuple[object, int] = (None, now_ms)

    def look(self, now_ms: int) -> list[str]:
        """The names of what stands still, empty while all is well."""
        stalled = []
        for index, poller in enumerate(self._gateway.pollers):
            due_ms = poller.next_ms()
            rests = poller.idle and (due_ms is None or due_ms > now_ms)
            last, since_ms = self._buses[index]
            if rests or poller.done != last:
                self._buses[index] = (poller.done, now_ms)
            elif now_ms - since_ms >= self._limit_ms:
                stalled.append("bus " + poller.bus.name)
        if self._is_commit_stalled(now_ms):
            stalled.append("journal")
        if self._is_sync_stalled(now_ms):
            stalled.append("uplink")
        return stalled

    def _is_commit_stalled(self, now_ms: int) -> bool:
        recorder = self._gateway.recorder
        due_ms = recorder.next_ms()
        rests = due_ms is None or due_ms > now_ms or recorder.failure is not None
        last, since_ms = self._commit
        if rests or recorder.store.next_seq != last:
            self._commit = (recorder.store.next_seq, now_ms)
            return False
        return now_ms - since_ms >= self._limit_ms

    def _is_sync_stalled(self, now_ms: int) -> bool:
        """An attempt that neither succeeds nor fails, or records that nobody tries to send."""
        uploader = self._gateway.uploader
        state = uploader.uplink.state
        retry_ms = uploader.next_ms(now_ms) if state == "offline" else None
        mark = (state, retry_ms, uploader.batches_sent, uploader.last_ack_ms)
        last, since_ms = self._sync
        if mark != last or uploader.store.acked_seq + 1 == uploader.store.next_seq:
            self._sync = (mark, now_ms)
            return False
        patience_ms = 0 if state == "connecting" else DEAF_MAX_MS
        return now_ms - since_ms >= patience_ms + self._limit_ms
