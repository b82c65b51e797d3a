"""The hash chain over records and the MACs over messages.

h[n] = SHA-256(h[n-1] || record[n]), h[-1] = SHA-256("carbontally" || gateway id || epoch).
MAC: HMAC-SHA-256 (RFC 2104, FIPS 180-4) with the device key, over a purpose string and the
message, so that no message of one purpose can pass for another.
"""

import hashlib

from edge.core.errors import ConfigError

HASH_BYTES = 32
EPOCH_BYTES = 8
KEY_BYTES = 32

_BLOCK_BYTES = 64

BATCH_PURPOSE = b"carbontally batch 1"
ACK_PURPOSE = b"carbontally ack 1"


def genesis(gateway: str, epoch: bytes) -> bytes:
    """The hash before record 0 of one incarnation of a journal."""
    return hashlib.sha256(b"carbontally" + gateway.encode("utf-8") + epoch).digest()


def link(before: bytes, record: bytes) -> bytes:
    """The hash at a record, from the hash before it and the record's canonical bytes."""
    found = hashlib.sha256(before)
    found.update(record)
    return found.digest()


def mac(key: bytes, purpose: bytes, message: "bytes | bytearray") -> bytes:
    """HMAC-SHA-256 of `purpose || message`; key of any length up to 64 bytes."""
    padded = key + bytes(_BLOCK_BYTES - len(key))
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded))
    inner.update(purpose)
    inner.update(message)
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))
    outer.update(inner.digest())
    return outer.digest()


def same(left: bytes, right: bytes) -> bool:
    """Compare two MACs in time that depends on their length alone."""
    if len(left) != len(right):
        return False
    difference = 0
    for position in range(len(left)):
        difference |= left[position] ^ right[position]
    return difference == 0


def parse_key(text: str, source: str) -> bytes:
    """Read a device key: 64 hexadecimal digits, space around them ignored.

    source: the file it came from, for the error. The key itself is never part of an error.
    Raises ConfigError "config.secret".
    """
    digits = text.strip()
    if len(digits) != 2 * KEY_BYTES or not all(c in "0123456789abcdefABCDEF" for c in digits):
        raise ConfigError("config.secret", file=source, reason="not 64 hexadecimal digits")
    return bytes(int(digits[i : i + 2], 16) for i in range(0, len(digits), 2))


class Chain:
    """The head of a journal: the next seq and the hash before it."""

    def __init__(self, next_seq: int, head: bytes) -> None:
        self.next_seq = next_seq
        self.head = head

    def extend(self, record: bytes) -> bytes:
        """Take one record's canonical bytes in; return the hash at it."""
        self.head = link(self.head, record)
        self.next_seq += 1
        return self.head
