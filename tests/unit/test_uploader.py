"""What the uploader sends, believes and survives; the receiver is the test."""

import pytest

from edge.app.uploader import (
    COMPLAINT_MS,
    RECONNECT_MAX_MS,
    RECONNECT_MIN_MS,
    RECORDS_MAX,
    Uploader,
)
from edge.core.errors import StoreError
from edge.core.journal.chain import Chain
from edge.core.journal.record import Kind, Record, encode_record
from edge.core.sync.batch import PAYLOAD_MAX_BYTES, decode_batch
from edge.core.sync.bounds import DEAF_MAX_MS, DEAF_MS, WINDOW

from .port_doubles import KEY, T0, ListStore, MemoryUplink, ack_payload

ACK_TOPIC = b"carbontally/v1/wuxi/gw-1/ack"
LINGER_MS = 1000


def fill(store: ListStore, count: int, body=None) -> None:
    chain = Chain(store.next_seq, store.head)
    rows = []
    for _ in range(count):
        seq = chain.next_seq
        made = body or [0, [seq], [], []]
        data = encode_record(Record(Kind.POLL, seq, 1, seq * 10, T0 + seq * 10, 2, made))
        rows.append((seq, Kind.POLL, data, chain.extend(data)))
    store.append(rows)


def make(count: int = 10):
    store, uplink = ListStore(), MemoryUplink()
    fill(store, count)
    return Uploader(uplink, store, "gw-1", "wuxi", KEY, LINGER_MS), store, uplink


def online(count: int = 10):
    """An uploader whose session stands and whose first batch is out since 1000 ms."""
    uploader, store, uplink = make(count)
    assert uploader.step(1000) == [] and uploader.step(2000) == []
    assert uplink.state == "online"
    return uploader, store, uplink


def say(uploader, uplink, payload: bytes, now_ms: int, topic: bytes = ACK_TOPIC):
    uplink.inbox.append((topic, payload))
    return [error.code for error in uploader.step(now_ms)]


def spans(uplink: MemoryUplink) -> list[tuple[int, int]]:
    found = [decode_batch(payload, KEY) for payload in uplink.batches()]
    return [(batch.first, batch.first + len(batch.records) - 1) for batch in found]


def test_a_session_subscribes_says_online_and_sends():
    uploader, store, uplink = online()
    assert uplink.subscribed == [ACK_TOPIC.decode()]
    assert uplink.sent[0] == ("carbontally/v1/wuxi/gw-1/state", b"online", True, 1)
    topic, payload, retain, qos = uplink.sent[1]
    assert (topic, retain, qos) == ("carbontally/v1/wuxi/gw-1/batch", False, 1)
    batch = decode_batch(payload, KEY)
    assert (batch.gateway, batch.epoch, batch.first) == ("gw-1", store.epoch, 0)
    assert [encode_record(record) for record in batch.records] == [row[2] for row in store.rows]
    assert list(batch.hashes) == [row[3] for row in store.rows]
    assert uploader.batches_sent == 1


def test_an_ack_releases_what_it_covers():
    uploader, store, uplink = online()
    assert say(uploader, uplink, ack_payload(6, store.rows[6][3]), 2100) == []
    assert store.acked_seq == 6 and uploader.last_ack_ms == 2100
    assert say(uploader, uplink, ack_payload(9, store.rows[9][3]), 2200) == []
    assert store.acked_seq == 9


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"key": bytes(32)}, "sync.mac"),
        ({"gateway": "gw-2"}, "sync.ack"),
        ({"seq": 10}, "sync.rewound"),  # beyond the head
        ({"digest": bytes(32)}, "sync.rewound"),  # another history
        ({"seq": 4}, "sync.rewound"),  # the hash of another seq
    ],
)
def test_an_ack_that_is_not_to_be_believed_changes_nothing(changes, code):
    uploader, store, uplink = online()
    made = {"seq": 9, "digest": store.rows[9][3], **changes}
    assert say(uploader, uplink, ack_payload(**made), 2100) == [code]
    assert store.acked_seq == -1 and uploader.last_ack_ms is None
    assert uplink.state == "online"
    assert say(uploader, uplink, ack_payload(9, store.rows[9][3]), 2200) == []
    assert store.acked_seq == 9


def test_a_fork_is_ours_only_where_our_hash_is_another():
    uploader, store, uplink = online()
    first = (3, store.rows[3][3])
    for fork in ((7, store.rows[7][3]), (10, bytes(32)), ((1 << 64) - 1, bytes(32))):
        assert say(uploader, uplink, ack_payload(*first, fork=fork), 2100) == [], fork
    assert store.acked_seq == 3
    for fork in ((7, bytes(32)), (-1, bytes(32))):
        assert say(uploader, uplink, ack_payload(9, store.rows[9][3], fork=fork), 2200) == [
            "sync.rewound"
        ]
    assert store.acked_seq == 3, "nothing is released by an ack that says so"


def test_an_ack_of_another_epoch_is_passed_over_in_silence():
    uploader, store, uplink = online()
    payload = ack_payload(9, store.rows[9][3], epoch=b"epoch--0")
    assert say(uploader, uplink, payload, 2100) == []
    assert store.acked_seq == -1


def test_what_is_no_ack_is_refused_or_not_even_read():
    uploader, store, uplink = online()
    good = ack_payload(9, store.rows[9][3])
    assert say(uploader, uplink, b"", 2100) == ["data.pack"]
    assert say(uploader, uplink, good[:-1], 2200) == []  # said a moment ago
    assert say(uploader, uplink, uplink.batches()[0], 2300) == ["data.record"]
    assert say(uploader, uplink, good[:-1], 2100 + COMPLAINT_MS) == ["data.pack"]
    assert say(uploader, uplink, bytes(PAYLOAD_MAX_BYTES + 1), 2400) == []
    for topic in (b"carbontally/v1/wuxi/gw-2/ack", b"carbontally/v1/wuxi/gw-1/batch"):
        assert say(uploader, uplink, good, 2500, topic) == []
    assert store.acked_seq == -1


def test_a_receiver_restored_from_an_older_copy_gets_everything_after_it():
    uploader, store, uplink = online()
    say(uploader, uplink, ack_payload(9, store.rows[9][3]), 2100)
    assert say(uploader, uplink, ack_payload(3, store.rows[3][3]), 4000) == []
    assert store.acked_seq == 3
    assert spans(uplink)[-1] == (4, 9)
    assert say(uploader, uplink, ack_payload(-1, store.genesis), 6000) == []
    assert store.acked_seq == -1
    assert spans(uplink)[-1] == (0, 9)


def test_many_acks_in_one_step_end_with_the_newest():
    uploader, store, uplink = online(30)
    for seq in range(30):
        uplink.inbox.append((ACK_TOPIC, ack_payload(seq, store.rows[seq][3])))
    assert uploader.step(2100) == []
    assert store.acked_seq == 29


def test_an_outage_is_told_once_and_tried_again_ever_more_rarely():
    uploader, store, uplink = online()
    uplink.reachable = False
    now_ms, told, attempts = 3000, [], []
    while now_ms < 800_000:
        before = uplink.starts
        told += [error.code for error in uploader.step(now_ms)]
        if uplink.starts > before:
            attempts.append(now_ms)
        assert uploader.next_ms(now_ms) > now_ms
        now_ms = uploader.next_ms(now_ms)
    assert told == ["sync.offline"]
    waits = [b - a for a, b in zip(attempts, attempts[1:], strict=False)]
    assert RECONNECT_MIN_MS <= attempts[0] - 3000 < 2 * RECONNECT_MIN_MS
    assert all(RECONNECT_MIN_MS <= wait <= RECONNECT_MAX_MS for wait in waits)
    assert waits[0] < waits[2] < waits[4] and waits[-1] >= RECONNECT_MAX_MS // 2


def test_after_an_outage_what_was_in_flight_goes_again_and_the_next_outage_is_told():
    uploader, store, uplink = online()
    fill(store, 5)
    uplink.reachable = False
    assert [error.code for error in uploader.step(3000)] == ["sync.offline"]
    uplink.reachable = True
    uploader.step(10_000)
    assert uplink.state == "online" and uploader.error is None
    assert spans(uplink) == [(0, 9), (0, 14)]
    uplink.reachable = False
    assert [error.code for error in uploader.step(11_000)] == ["sync.offline"]


def test_silence_of_the_receiver_sends_again():
    uploader, _, uplink = online()
    at_ms = uploader.window.progress_ms + uploader.window.retry_ms
    uploader.step(at_ms - 1)
    assert spans(uplink) == [(0, 9)]
    uploader.step(at_ms)
    assert spans(uplink) == [(0, 9), (0, 9)]


def test_a_session_in_which_nothing_is_answered_is_begun_anew_ever_more_rarely():
    uploader, store, uplink = online()
    now_ms, waited_ms = 1000, []
    while len(waited_ms) < 5:
        begun_ms = now_ms
        while uplink.state == "online":
            now_ms += 1000
            assert uploader.step(now_ms) == []
        waited_ms.append(now_ms - begun_ms)
        assert uploader.next_ms(now_ms) == now_ms
        uploader.step(now_ms)  # connects
        uploader.step(now_ms)
        assert uplink.state == "online"
    assert waited_ms == [DEAF_MS, 2 * DEAF_MS, 4 * DEAF_MS, DEAF_MAX_MS, DEAF_MAX_MS]
    assert say(uploader, uplink, ack_payload(9, store.hash_at(9)), now_ms) == []
    for _ in range(1000):
        now_ms += 1000
        uploader.step(now_ms)
        assert uplink.state == "online", "nothing is asked, nothing has to be answered"
    fill(store, 3)
    uploader.step(now_ms)
    for elapsed_ms in range(1000, DEAF_MS, 1000):
        uploader.step(now_ms + elapsed_ms)
        assert uplink.state == "online"
    uploader.step(now_ms + DEAF_MS)
    assert uplink.state == "offline"


def test_an_uplink_without_room_is_asked_again_later():
    uploader, _, uplink = make()
    uplink.room = 1  # for the state only
    uploader.step(1000)
    uploader.step(2000)
    assert uplink.batches() == [] and uploader.batches_sent == 0
    uplink.room = 10
    uploader.step(3000)
    assert spans(uplink) == [(0, 9)]


def test_a_window_of_batches_and_no_more():
    count = RECORDS_MAX * (WINDOW + 2)
    uploader, store, uplink = online(count)
    whole = [(n * RECORDS_MAX, (n + 1) * RECORDS_MAX - 1) for n in range(WINDOW + 2)]
    assert spans(uplink) == whole[:WINDOW]
    last = whole[0][1]
    say(uploader, uplink, ack_payload(last, store.rows[last][3]), 2100)
    assert spans(uplink) == whole[: WINDOW + 1]


def test_a_payload_that_grows_too_large_is_halved_until_it_fits():
    uploader, store, uplink = make(0)
    fill(store, 800, [0, [1], [], [0, bytes(range(256))]])
    now_ms = 1000
    while store.acked_seq < 799:
        uploader.step(now_ms, True)
        found = spans(uplink)
        if found:
            last = found[-1][1]
            uplink.inbox.append((ACK_TOPIC, ack_payload(last, store.rows[last][3])))
        now_ms += 100
        assert now_ms < 10_000
    assert all(len(payload) <= PAYLOAD_MAX_BYTES for payload in uplink.batches())
    found = spans(uplink)
    assert len(found) > 3 and found[0][0] == 0 and found[-1][1] == 799
    assert all(b[0] == a[1] + 1 for a, b in zip(found, found[1:], strict=False))


def test_a_store_that_fails_stops_nothing_but_this_session():
    uploader, store, uplink = online()
    store.failing = "store.full"
    assert say(uploader, uplink, ack_payload(9, store.rows[9][3]), 2100) == ["store.full"]
    assert uplink.state == "offline" and store.acked_seq == -1
    store.failing = None
    uploader.step(10_000)
    assert say(uploader, uplink, ack_payload(9, store.rows[9][3]), 11_000) == []
    assert store.acked_seq == 9


def test_a_damaged_journal_is_told_once_and_asked_for_ever_more_rarely():
    uploader, store, uplink = make()

    def broken(first: int, last: int, most: int = 0):
        raise StoreError("store.corrupt", file="journal", seq=first)

    store.read = broken  # type: ignore[method-assign]
    told = []
    for now_ms in range(1000, 60_000, 500):
        told += [error.code for error in uploader.step(now_ms)]
    assert uplink.batches() == []
    assert told == ["store.corrupt"]
    assert 2 < uplink.starts < 9


def test_goodbye_is_said_when_there_is_somebody():
    uploader, _, uplink = online()
    uploader.close()
    assert uplink.sent[-1] == ("carbontally/v1/wuxi/gw-1/state", b"offline", True, 0)
    assert uplink.state == "offline"
    uploader.close()
    assert uplink.sent[-1][1] == b"offline"
