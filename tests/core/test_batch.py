from edge.core.errors import TallyError
from edge.core.journal import chain
from edge.core.journal.record import Kind, Record, encode_record
from edge.core.numbers import pack
from edge.core.sync import ack, batch

KEY = bytes(range(32))
EPOCH = bytes.fromhex("0102030405060708")
T0 = 1800000000000
GENESIS = bytes.fromhex("ba5aed6abe3ffa54a6f4a42a3502c4ba349c2d5e633e78f3cce969ec87e803b7")

RECORDS = (
    Record(Kind.TABLE, 0, 1, 10, T0 + 10, 2, [0, b"\x11\x11\x11\x11", "0.1.0"]),
    Record(Kind.POLL, 1, 1, 1010, T0 + 1010, 2, [0, [1000, None], [1, 3], [0, b"\x124"]]),
    Record(Kind.EVENT, 2, 1, 1020, T0 + 1020, 2, ["bus.timeout", ["device", 0, "station", 7]]),
    Record(Kind.POLL, 3, 1, 2010, T0 + 2010, 2, [0, [1003, 250], [], []]),
)

# Computed with the msgpack, hashlib and hmac packages from the layout alone.
HASHES = (
    bytes.fromhex("8c58b7da3a98de0d10d742f18d74e768f111da86a830f9b8320c5a8c4c68705b"),
    bytes.fromhex("62cb3f67241ae146512ff4a83e9e1226a210fb5b6bc911b326ba5a282e1afc6a"),
    bytes.fromhex("41b427b1b28e49252ebcdc94ce3544de91a51e416324140eea4b54167678f973"),
    bytes.fromhex("f5f5d59ac309319290058a8f7ec28c04e83572b6dc1e115761717a46def5cc8b"),
)
PAYLOAD = bytes.fromhex(
    "9c01a467772d31c408010203040506070800"  # twelve: version, gateway, epoch, first seq
    "c420ba5aed6abe3ffa54a6f4a42a3502c4ba349c2d5e633e78f3cce969ec87e803b7"
    "940401cf000001a3185c500002"  # clocks: one run of four
    "940acd03e80acd03de"  # times
    "94ff00fc00"  # order: table, device 0, event, device 0
    "9195000294cd03e8c003ccfa93000103930000c4021234"  # polls
    "9293" + "00c40411111111a5302e312e30"  # bodies: the table ...
    "92ab6275732e74696d656f757494a664657669636500a773746174696f6e07"  # ... and the event
    "c420f5f5d59ac309319290058a8f7ec28c04e83572b6dc1e115761717a46def5cc8b"
    "c420ec8350cd667d6ece83a5db052bb78f604db5bb28915cd6b139752a6d9a6df898"
)


def refused(call, *args):
    try:
        call(*args)
    except TallyError as error:
        return error.code
    return None


def sealed(fields, key=KEY, purpose=chain.BATCH_PURPOSE):
    """A payload whose MAC is right, whatever the fields are."""
    signed = pack.encode(list(fields) + [bytes(32)])[:-34]
    return signed + pack.encode(chain.mac(key, purpose, signed))


def fields_of(payload=PAYLOAD):
    fields = pack.decode(payload)
    assert isinstance(fields, list)
    return fields[:11]


def changed(position, value):
    fields = fields_of()
    fields[position] = value
    return sealed(fields)


def test_the_payload_has_the_bytes_of_its_layout():
    made = batch.encode_batch("gw-1", EPOCH, GENESIS, RECORDS, HASHES[3], KEY)
    assert made == PAYLOAD


def test_the_payload_reads_back_with_the_hash_at_each_record():
    found = batch.decode_batch(PAYLOAD, KEY)
    assert found.records == RECORDS
    assert found.hashes == HASHES
    assert (found.gateway, found.epoch, found.first) == ("gw-1", EPOCH, 0)
    assert found.hash_before == GENESIS
    assert batch.read_gateway(PAYLOAD) == "gw-1"


def test_a_later_run_starts_from_the_hash_before_it():
    made = batch.encode_batch("gw-1", EPOCH, HASHES[1], RECORDS[2:], HASHES[3], KEY)
    found = batch.decode_batch(made, KEY)
    assert (found.first, found.records, found.hashes) == (2, RECORDS[2:], HASHES[2:])


def test_every_changed_byte_is_refused():
    for position in range(len(PAYLOAD)):
        for flip in (0x01, 0x80, 0xFF):
            other = bytearray(PAYLOAD)
            other[position] ^= flip
            code = refused(batch.decode_batch, bytes(other), KEY)
            assert code in ("data.pack", "data.record", "sync.mac"), (position, code)


def test_every_truncation_is_refused():
    for size in range(len(PAYLOAD)):
        assert refused(batch.decode_batch, PAYLOAD[:size], KEY) == "data.pack", size
    assert refused(batch.decode_batch, PAYLOAD + b"\x00", KEY) == "data.pack"


def test_another_key_is_refused():
    assert refused(batch.decode_batch, PAYLOAD, bytes(32)) == "sync.mac"


def test_the_mac_of_an_ack_does_not_open_a_batch():
    wrong = sealed(fields_of(), KEY, chain.ACK_PURPOSE)
    assert refused(batch.decode_batch, wrong, KEY) == "sync.mac"
    made = ack.encode_ack(ack.Ack("gw-1", EPOCH, 3, HASHES[3], (), T0, None), KEY)
    assert refused(batch.decode_batch, made, KEY) == "data.record"


def test_a_mac_that_is_not_the_last_element_is_refused():
    loose = fields_of()[:10] + [chain.mac(KEY, chain.BATCH_PURPOSE, b""), HASHES[3]]
    assert refused(batch.decode_batch, pack.encode(loose), KEY) == "sync.mac"
    assert refused(batch.decode_batch, pack.encode(loose[:11] + ["text"]), KEY) == "data.record"


def test_gateway_and_epoch_are_under_the_mac_and_in_the_chain():
    for position, value in ((1, "gw-2"), (2, bytes(8))):
        fields = fields_of() + [pack.decode(PAYLOAD)[11]]
        fields[position] = value
        assert refused(batch.decode_batch, pack.encode(fields), KEY) == "sync.mac"
    # Records of another epoch do not begin at this genesis: the caller compares hash_before.
    assert batch.decode_batch(changed(2, bytes(8)), KEY).epoch == bytes(8)


def test_a_chain_that_does_not_hold_is_refused_though_the_mac_is_right():
    for position, value in ((4, bytes(32)), (10, bytes(32)), (3, 1), (10, "x"), (10, None)):
        assert refused(batch.decode_batch, changed(position, value), KEY) == "sync.chain", position


def test_wrong_heads_are_refused_though_the_mac_is_right():
    for position, value in (
        (0, 2),
        (0, None),
        (1, 7),
        (1, b"gw-1"),
        (2, bytes(7)),
        (2, "01234567"),
        (3, -1),
        (3, True),
        (3, None),
        (4, bytes(31)),
        (4, "x" * 32),
    ):
        assert refused(batch.decode_batch, changed(position, value), KEY) == "data.record", (
            position
        )


def test_columns_that_do_not_fit_each_other_are_refused():
    clocks, times, order, polls, bodies = fields_of()[5:10]
    device, points, deltas, qualities, evidence = polls[0]
    for position, value in (
        (5, []),
        (5, [3] + clocks[1:]),
        (5, [5] + clocks[1:]),
        (5, [0] + clocks[1:] + clocks),
        (5, clocks[:3]),
        (5, clocks[:3] + [3]),  # clock quality 3
        (5, clocks[:3] + [True]),
        (6, times[:3]),
        (6, times + [0]),
        (6, times[:3] + [None]),
        (7, []),
        (7, [-1, 1, -4, 0]),  # a device without a block
        (7, [-7, 0, -4, 0]),  # unknown kind
        (7, [-1, 0, -4, -4]),
        (7, 4),
        (8, []),
        (8, polls + polls),
        (8, polls + [[1, 1, [5], [], []]]),  # a poll nobody asked for
        (8, [[device, 0, deltas, qualities, evidence]]),
        (8, [[device, 3, deltas, qualities, evidence]]),
        (8, [[device, points, deltas[:3] + ["x"], qualities, evidence]]),
        (8, [[device, points, deltas, [2, 0, 3], evidence]]),  # poll 2 of two
        (8, [[device, points, deltas, [0, 1], evidence]]),
        (8, [[device, points, deltas, qualities, [-1, 0, b""]]]),
        (8, [[device, points, deltas, qualities]]),
        (9, bodies[:1]),
        (9, bodies + bodies[:1]),
        (9, [[], bodies[1]]),
        (9, None),
    ):
        assert refused(batch.decode_batch, changed(position, value), KEY) == "data.record", value


def test_sizes_are_checked_before_anything_is_read():
    huge = bytes(batch.PAYLOAD_MAX_BYTES + 1)
    assert refused(batch.decode_batch, huge, KEY) == "data.pack"
    assert refused(batch.read_gateway, huge) == "data.pack"
    assert refused(batch.read_gateway, pack.encode([1, 2, 3])) == "data.record"


def test_a_device_that_changes_its_width_is_no_batch():
    other = Record(*RECORDS[3][:6], [0, [1], [], []])
    records = RECORDS[:3] + (other,)
    head = chain.link(HASHES[2], encode_record(other))
    args = ("gw-1", EPOCH, GENESIS, records, head, KEY)
    assert refused(batch.encode_batch, *args) == "data.record"
