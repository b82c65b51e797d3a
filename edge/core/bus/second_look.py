"""What a second read of odd values says, see `confirm`."""

from edge.core.numbers.quality import Quality

#: Two reads of one counter agree when they differ by at most this part of it.
AGREE_PART = 1000


def settle(
    first: list[int | None],
    second: list[int | None],
    suspects: list[int],
    qualities: dict[int, int],
) -> None:
    """Put into `first` what counts after a second read; marks UNCONFIRMED in qualities.

    Two reads that agree are the truth, however odd; of two that do not, none counts.
    """
    for index in suspects:
        one, two = first[index], second[index]
        if one is not None and two is not None and _agree(one, two):
            first[index] = two
        else:
            first[index] = None
            qualities[index] = Quality.UNCONFIRMED


def _agree(one: int, two: int) -> bool:
    return abs(two - one) <= max(2, abs(one) // AGREE_PART)
