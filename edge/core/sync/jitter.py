"""Waits that differ from gateway to gateway, and from one to the next, without a random source."""

import hashlib


def seed_of(gateway: str) -> int:
    """32 bits that are a gateway's own."""
    return int.from_bytes(hashlib.sha256(gateway.encode()).digest()[:4], "big")


def spread(seed: int, now_ms: int, most: int) -> int:
    """A number in 0..most, evenly spread over seeds and moments; most: below 2**32."""
    mixed = (seed ^ (now_ms * 0x9E3779B1)) & 0xFFFFFFFF
    for _ in range(2):
        mixed = ((mixed >> 16 ^ mixed) * 0x45D9F3B) & 0xFFFFFFFF
    return (mixed >> 16 ^ mixed) % (most + 1)
