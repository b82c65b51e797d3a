from edge.core.errors import TallyError
from edge.core.journal import chain
from edge.core.numbers import pack
from edge.core.sync import ack, batch

KEY = bytes(range(32))
EPOCH = bytes.fromhex("0102030405060708")
T0 = 1800000000000
HEAD = bytes.fromhex("f5f5d59ac309319290058a8f7ec28c04e83572b6dc1e115761717a46def5cc8b")
GENESIS = bytes.fromhex("ba5aed6abe3ffa54a6f4a42a3502c4ba349c2d5e633e78f3cce969ec87e803b7")

# Computed with the msgpack, hashlib and hmac packages from the layout alone.
PAYLOAD = bytes.fromhex(
    "9801a467772d31c4080102030405060708"  # eight: version, gateway, epoch
    "03c420f5f5d59ac309319290058a8f7ec28c04e83572b6dc1e115761717a46def5cc8b"  # seq 3, its hash
    "920609cf000001a3185c5bb8"  # one gap, the receiver's time
    "c420444b84074bd22441a76266e9de78fc139937fd1271ed7b6f50023ff490ae9a1c"
)
NOTHING = bytes.fromhex(
    "9801a467772d31c4080102030405060708"
    "ffc420ba5aed6abe3ffa54a6f4a42a3502c4ba349c2d5e633e78f3cce969ec87e803b7"
    "90cf000001a3185c5000"
    "c4208a78b329879e85d84d5be1591798f7f2a8385f3c157c98375c41fe5d402a849f"
)
FORKED = bytes.fromhex(
    "9a02a467772d31c4080102030405060708"  # ten, version 2
    "03c420f5f5d59ac309319290058a8f7ec28c04e83572b6dc1e115761717a46def5cc8b"
    "920609cf000001a3185c5bb8"
    "0bc420ba5aed6abe3ffa54a6f4a42a3502c4ba349c2d5e633e78f3cce969ec87e803b7"  # seq 11
    "c420f81e1b1d9959a9fe15ec4203641f59c2e6350809ead0baab2d233fe15c056cce"
)
FULL = ack.Ack("gw-1", EPOCH, 3, HEAD, (6, 9), T0 + 3000, None)
FORK = ack.Ack(*FULL[:6], (11, GENESIS))
EMPTY = ack.Ack("gw-1", EPOCH, -1, GENESIS, (), T0, None)


def refused(call, *args):
    try:
        call(*args)
    except TallyError as error:
        return error.code
    return None


def sealed(fields, purpose=chain.ACK_PURPOSE):
    signed = pack.encode(list(fields) + [bytes(32)])[:-34]
    return signed + pack.encode(chain.mac(KEY, purpose, signed))


def changed(position, value):
    fields = [1, "gw-1", EPOCH, 3, HEAD, [6, 9], T0]
    fields[position] = value
    return sealed(fields)


def test_the_payload_has_the_bytes_of_its_layout():
    assert ack.encode_ack(FULL, KEY) == PAYLOAD
    assert ack.encode_ack(EMPTY, KEY) == NOTHING
    assert ack.encode_ack(FORK, KEY) == FORKED


def test_the_payload_reads_back():
    assert ack.decode_ack(PAYLOAD, "gw-1", KEY) == FULL
    assert ack.decode_ack(NOTHING, "gw-1", KEY) == EMPTY
    assert ack.decode_ack(FORKED, "gw-1", KEY) == FORK


def test_every_changed_byte_and_every_truncation_is_refused():
    for position in range(len(PAYLOAD)):
        for flip in (0x01, 0x80, 0xFF):
            other = bytearray(PAYLOAD)
            other[position] ^= flip
            code = refused(ack.decode_ack, bytes(other), "gw-1", KEY)
            assert code in ("data.pack", "data.record", "sync.mac"), (position, code)
    for payload in (PAYLOAD, FORKED):
        for size in range(len(payload)):
            assert refused(ack.decode_ack, payload[:size], "gw-1", KEY) == "data.pack", size


def test_key_gateway_and_purpose_must_be_ours():
    assert refused(ack.decode_ack, PAYLOAD, "gw-1", bytes(32)) == "sync.mac"
    assert refused(ack.decode_ack, PAYLOAD, "gw-2", KEY) == "sync.ack"
    fields = [1, "gw-1", EPOCH, 3, HEAD, [6, 9], T0]
    forged = sealed(fields, chain.BATCH_PURPOSE)
    assert refused(ack.decode_ack, forged, "gw-1", KEY) == "sync.mac"
    assert ack.decode_ack(sealed(fields), "gw-1", KEY) == ack.Ack(*FULL[:5], T0, None)


def test_a_batch_is_no_ack():
    fields = [1, "gw-1", EPOCH, 0, GENESIS, [], [], [], [], [], HEAD]
    payload = sealed(fields, chain.BATCH_PURPOSE)
    assert refused(batch.read_gateway, payload) is None
    assert refused(ack.decode_ack, payload, "gw-1", KEY) == "data.record"


def test_an_epoch_is_for_the_caller_to_compare():
    assert ack.decode_ack(changed(2, bytes(8)), "gw-1", KEY).epoch == bytes(8)


def test_wrong_shapes_are_refused_though_the_mac_is_right():
    for position, value, code in (
        (0, 2, "sync.ack"),
        (1, "gw-10", "sync.ack"),
        (1, None, "sync.ack"),
        (2, "epoch", "data.record"),
        (3, -2, "data.record"),
        (3, True, "data.record"),
        (3, None, "data.record"),
        (3, "3", "data.record"),
        (4, bytes(31), "data.record"),
        (4, None, "data.record"),
        (5, [6], "data.record"),
        (5, [6, None], "data.record"),
        (5, 6, "data.record"),
        (6, None, "data.record"),
        (6, False, "data.record"),
    ):
        assert refused(ack.decode_ack, changed(position, value), "gw-1", KEY) == code, position


def test_a_fork_of_a_wrong_shape_is_refused_though_the_mac_is_right():
    plain = [2, "gw-1", EPOCH, 3, HEAD, [6, 9], T0]
    for more, code in (
        ([11, GENESIS], None),
        ([-1, GENESIS], None),
        ([-2, GENESIS], "data.record"),
        ([True, GENESIS], "data.record"),
        ([None, GENESIS], "data.record"),
        ([11, bytes(31)], "data.record"),
        ([11, None], "data.record"),
        ([11], "data.record"),
        ([11, GENESIS, 0], "data.record"),
        ([], "sync.ack"),
    ):
        assert refused(ack.decode_ack, sealed(plain + more), "gw-1", KEY) == code, more
    first = sealed([1] + plain[1:] + [11, GENESIS])
    assert refused(ack.decode_ack, first, "gw-1", KEY) == "sync.ack"


def test_what_is_no_array_of_eight_is_refused():
    for fields in ([], [1], [1, "gw-1", EPOCH, 3, HEAD, [], T0, "text"], "text", None, 5):
        assert refused(ack.decode_ack, pack.encode(fields), "gw-1", KEY) == "data.record"
    assert refused(ack.decode_ack, bytes(ack.PAYLOAD_MAX_BYTES + 1), "gw-1", KEY) == "data.pack"


def test_gaps_beyond_the_limit_wait_for_the_next_ack():
    many = tuple(range(10, 10 + 4 * ack.GAPS_MAX))
    payload = ack.encode_ack(ack.Ack(*FULL[:4], many, T0, None), KEY)
    assert len(payload) <= ack.PAYLOAD_MAX_BYTES
    assert ack.decode_ack(payload, "gw-1", KEY).gaps == many[: 2 * ack.GAPS_MAX]


def test_the_longest_ack_fits_its_limit():
    big = (1 << 63) - 1
    made = ack.Ack("g" * 64, EPOCH, big, HEAD, (big,) * (2 * ack.GAPS_MAX), big, (big, HEAD))
    payload = ack.encode_ack(made, KEY)
    assert ack.decode_ack(payload, "g" * 64, KEY) == made
