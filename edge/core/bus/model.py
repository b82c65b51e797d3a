"""What a poll has to know of a device profile; the rest of it is in `profile`."""

from edge.core.bus.rtu import BIT_FUNCTIONS, BITS_PER_REGISTER


class Model:
    """How the registers of one device model are read.

    max_block_registers: most in one request; 16 times as many bits.
    gap_ms: rest the station needs between two requests.
    forbidden: tuple of (first, last) wire addresses that no block may touch.
    sentinels: raw patterns that mean "no value", by type.
    digest: SHA-256 over everything that decides how a register becomes a reading.
    """

    def __init__(
        self,
        profile_id: str,
        word_order: str,
        byte_order: str,
        max_block_registers: int,
        gap_ms: int,
        forbidden: tuple[tuple[int, int], ...],
        sentinels: dict[str, tuple[int, ...]],
        digest: bytes,
    ) -> None:
        self.id = profile_id
        self.word_order = word_order
        self.byte_order = byte_order
        self.max_block_registers = max_block_registers
        self.gap_ms = gap_ms
        self.forbidden = forbidden
        self.sentinels = sentinels
        self.digest = digest


def most_in_block(function: int, registers: int) -> int:
    """How much one request may ask for, where `registers` is the limit for registers."""
    return registers * BITS_PER_REGISTER if function in BIT_FUNCTIONS else registers
