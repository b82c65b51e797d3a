import hashlib

from edge.core.errors import TallyError
from edge.core.journal import chain

EPOCH = bytes.fromhex("0102030405060708")


def refused(call, *args):
    try:
        call(*args)
    except TallyError as error:
        return error.code
    return None


def test_mac_is_hmac_sha256_of_rfc_4231():
    # Test cases 1 to 4 (key and data of 20, 4, 20 and 25 bytes); the purpose is empty.
    for key, data, expected in (
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 20,
            b"\xdd" * 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            bytes(range(1, 26)),
            b"\xcd" * 50,
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
    ):
        assert chain.mac(key, b"", data) == bytes.fromhex(expected)
        assert chain.mac(key, data[:5], data[5:]) == bytes.fromhex(expected)


def test_purposes_do_not_stand_for_each_other():
    key, message = bytes(32), b"message"
    made = [
        chain.mac(key, purpose, message)
        for purpose in (chain.BATCH_PURPOSE, chain.ACK_PURPOSE, b"")
    ]
    assert made[0] != made[1] and made[1] != made[2] and made[0] != made[2]
    # Neither purpose begins the other, so no message can move a byte across the seam.
    assert not chain.BATCH_PURPOSE.startswith(chain.ACK_PURPOSE)
    assert not chain.ACK_PURPOSE.startswith(chain.BATCH_PURPOSE)


def test_genesis_names_gateway_and_epoch():
    expected = "ba5aed6abe3ffa54a6f4a42a3502c4ba349c2d5e633e78f3cce969ec87e803b7"
    assert chain.genesis("gw-1", EPOCH) == bytes.fromhex(expected)
    assert chain.genesis("gw-1", EPOCH) == hashlib.sha256(b"carbontallygw-1" + EPOCH).digest()
    assert chain.genesis("gw-2", EPOCH) != chain.genesis("gw-1", EPOCH)
    assert chain.genesis("gw-1", bytes(8)) != chain.genesis("gw-1", EPOCH)


def test_the_chain_is_sha256_over_hash_and_record():
    links = chain.Chain(0, chain.genesis("gw-1", EPOCH))
    before = hashlib.sha256(b"carbontallygw-1" + EPOCH).digest()
    for seq, data in enumerate((b"a", b"", b"c" * 1000)):
        assert (links.next_seq, links.head) == (seq, before)
        before = hashlib.sha256(before + data).digest()
        assert links.extend(data) == before
    assert (links.next_seq, links.head) == (3, before)


def test_order_and_content_change_the_head():
    def head(*records):
        links = chain.Chain(0, bytes(32))
        for data in records:
            links.extend(data)
        return links.head

    assert head(b"a", b"b") != head(b"b", b"a")
    assert head(b"a", b"b") != head(b"a", b"c")
    assert head(b"a") != head(b"a", b"")


def test_comparison_looks_at_every_byte():
    one = bytes(range(32))
    assert chain.same(one, bytes(range(32)))
    for position in range(32):
        other = bytearray(one)
        other[position] ^= 0x80
        assert not chain.same(one, bytes(other)), position
    assert not chain.same(one, one[:31])
    assert not chain.same(one, one + b"\x00")
    assert chain.same(b"", b"")


def test_a_key_is_64_hexadecimal_digits():
    text = "00FFa5" + "5" * 58
    assert chain.parse_key("  " + text + "\n", "k") == bytes.fromhex("00ffa5" + "5" * 58)
    for wrong in ("", "5" * 63, "5" * 65, "5" * 62 + "0x", "g" * 64, "5" * 32 + " " + "5" * 31):
        assert refused(chain.parse_key, wrong, "k") == "config.secret", wrong


def test_a_wrong_key_is_not_in_its_error():
    secret = "deadbeef" * 7
    try:
        chain.parse_key(secret, "device.key")
    except TallyError as error:
        assert error.fields["file"] == "device.key"
        assert secret not in str(error.fields)
    else:
        raise AssertionError("accepted")
