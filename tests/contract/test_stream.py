"""The stream contract on Linux; `hil_tests/micropython/test_stream_in_device.py` has the other."""

from collections.abc import Callable, Iterator

import pytest

from edge.ports.linux.tcp import TcpStream

from .brokers import HOST, free_port
from .stream_contract import CHECKS, check_partial_writes_lose_and_repeat_nothing
from .stream_peer import stream_peer


class World:
    """See `stream_contract`."""

    host = HOST
    #: Loopback's buffers grow to some MB.
    many = 12_000_000

    def __init__(self, port: int) -> None:
        self.port = port
        self.dead_port = free_port()

    def stream(self) -> TcpStream:
        return TcpStream()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with stream_peer() as found:
        yield found


@pytest.mark.parametrize("check", CHECKS, ids=[check.__name__[6:] for check in CHECKS])
def test_it_keeps(check: Callable[[World], None], port: int) -> None:
    check(World(port))


def test_what_fits_a_buffer_proves_nothing_of_partial_writes(port: int) -> None:
    world = World(port)
    world.many = 100
    with pytest.raises(AssertionError, match="no write was a part"):
        check_partial_writes_lose_and_repeat_nothing(world)
