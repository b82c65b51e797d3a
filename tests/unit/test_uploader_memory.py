"""What the uploader does where a heap has no room to send what waits."""

from .port_doubles import ack_payload
from .test_uploader import fill, online, say, spans


def test_no_memory_for_a_batch_ends_the_session_and_nothing_else():
    uploader, store, uplink = online()
    fill(store, 5)
    whole, asked = store.read, []

    def scarce(first: int, last: int, most: int = 0):
        asked.append(first)
        if len(asked) < 3:
            raise MemoryError
        return whole(first, last, most)

    store.read = scarce  # type: ignore[method-assign]
    told = [error.code for at in range(3000, 30_000, 100) for error in uploader.step(at, True)]
    assert told == ["sync.memory"], "once, however often it is tried"
    assert uplink.starts == 3 and uplink.state == "online"
    assert spans(uplink)[-1] == (0, 14)
    head = store.next_seq - 1
    assert say(uploader, uplink, ack_payload(head, store.rows[head][3]), 31_000) == []
    assert store.acked_seq == head


def test_a_store_that_gives_another_row_than_is_there_is_damaged():
    uploader, store, uplink = online()
    fill(store, 5)
    whole = store.read
    store.read = lambda first, last, most=0: whole(first, last)[1:]  # type: ignore
    assert [error.code for error in uploader.step(5000, True)] == ["store.corrupt"]
