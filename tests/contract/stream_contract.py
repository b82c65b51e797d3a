"""What every `contracts.Stream` promises, written so that CPython and MicroPython run it alike.

Each function takes a world: `stream()` makes a stream, `host` and `port` are the peer's, see
`stream_peer`, `dead_port` is one that nothing listens on, `many` a number of bytes that fit no
buffer. It raises AssertionError for a promise that is not kept. What hangs is ended from outside.
"""

from edge.core.errors import SyncError

WAIT_MS = 1000
LOOKS_MAX = 120
PART_BYTES = 8192


def pattern(at: int, count: int) -> bytes:
    """Bytes of a flow from an offset on, no two neighbours of a block alike."""
    block = bytes([(7 * number + number // 251) % 256 for number in range(1024)])
    first = at % 1024
    return (block * (count // 1024 + 2))[first : first + count]


def opened(world):
    """A stream that is open."""
    return open_again(world.stream(), world)


def open_again(stream, world):
    """The stream, open."""
    stream.open(world.host, world.port, False)
    for _ in range(LOOKS_MAX):
        if stream.poll() == "open":
            return stream
        stream.wait(WAIT_MS)
    raise AssertionError("it never opened")


def send_all(stream, data):
    """Send everything; True when some call took only a part."""
    view, at, was_short = memoryview(data), 0, False
    for _ in range(LOOKS_MAX):
        sent = stream.send(view[at:])
        assert 0 <= sent <= len(data) - at
        at += sent
        if at == len(data):
            return was_short
        was_short = True
        stream.wait(WAIT_MS, True)
    raise AssertionError("it takes no more")


def read_exactly(stream, size):
    """So many bytes."""
    data = b""
    for _ in range(LOOKS_MAX):
        part = stream.recv(size - len(data))
        assert isinstance(part, bytes) and len(part) <= size - len(data)
        data += part
        if len(data) == size:
            return data
        stream.wait(WAIT_MS)
    raise AssertionError("it brings no more")


def failure(call):
    """The error that a call has to raise, or raises after some looks."""
    for _ in range(LOOKS_MAX):
        try:
            call()
        except SyncError as error:
            return error
    raise AssertionError("nothing was raised")


def check_closed_before_it_is_opened(world):
    stream = world.stream()
    assert stream.poll() == "closed"
    assert failure(lambda: stream.send(b"x")).code == "sync.offline"
    assert failure(lambda: stream.recv(1)).code == "sync.offline"
    stream.wait(0)
    stream.close()
    stream.close()


def check_bytes_go_both_ways(world):
    stream = opened(world)
    assert stream.send(b"") == 0
    send_all(stream, b"echo 3000\n")
    assert stream.recv(10) == b"", "nothing has come, and nobody waits"
    data = bytes(range(250)) * 12
    send_all(stream, data)
    assert read_exactly(stream, 3000) == data
    stream.close()
    assert stream.poll() == "closed"


def check_a_part_is_all_that_recv_gives(world):
    stream = opened(world)
    send_all(stream, b"echo 100\n")
    send_all(stream, bytes(range(100)))
    assert read_exactly(stream, 1) == b"\x00"
    assert read_exactly(stream, 99) == bytes(range(1, 100))
    stream.close()


def check_a_peer_that_closes_is_told_after_its_last_byte(world):
    stream = opened(world)
    send_all(stream, b"farewell\n")
    assert read_exactly(stream, 4) == b"last"

    def look():
        stream.wait(WAIT_MS)
        stream.recv(1)

    error = failure(look)
    assert error.code == "sync.offline"
    assert error.fields["server"] == f"{world.host}:{world.port}"
    assert error.fields["reason"] == "closed by the server"
    assert stream.poll() == "closed"
    assert failure(lambda: stream.send(b"x")).code == "sync.offline"


def check_a_reset_is_told(world):
    stream = opened(world)
    send_all(stream, b"reset\n")

    def look():
        stream.wait(WAIT_MS)
        stream.recv(1)

    error = failure(look)
    assert error.code == "sync.offline" and error.fields["reason"]
    assert stream.poll() == "closed"


def check_partial_writes_lose_and_repeat_nothing(world):
    """The peer reads nothing before a write was a part."""
    stream = opened(world)
    send_all(stream, b"hold %d\n" % world.many)
    at, is_held = 0, True
    for _ in range(world.many):
        if at == world.many:
            break
        part = pattern(at, min(PART_BYTES, world.many - at))
        sent = stream.send(part)
        if sent < len(part) and is_held:
            is_held = False
            other = opened(world)
            send_all(other, b"release\n")
            assert read_exactly(other, 2) == b"ok"
            other.close()
        elif sent == 0:
            stream.wait(WAIT_MS, True)
        at += sent
    assert not is_held, "no write was a part"
    assert read_exactly(stream, 4) == b"same"
    stream.close()


def check_nobody_there_is_offline_and_the_next_attempt_is_fresh(world):
    stream = world.stream()

    def attempt():
        stream.open(world.host, world.dead_port, False)
        for _ in range(LOOKS_MAX):
            stream.poll()
            stream.wait(WAIT_MS)

    error = failure(attempt)
    assert error.code == "sync.offline" and error.fields["reason"]
    assert error.fields["server"] == f"{world.host}:{world.dead_port}"
    assert stream.poll() == "closed"
    open_again(stream, world)
    send_all(stream, b"echo 1\n!")
    assert read_exactly(stream, 1) == b"!"
    stream.close()


def check_a_name_that_is_none_is_offline(world):
    for host in ("no-such-name.invalid", "a..b", "x" * 300):
        stream = world.stream()

        def attempt():
            stream.open(host, 1883, False)  # noqa: B023
            for _ in range(LOOKS_MAX):
                stream.poll()  # noqa: B023
                stream.wait(50)  # noqa: B023

        error = failure(attempt)
        assert error.code == "sync.offline" and error.fields["reason"]
        assert error.fields["server"] == host + ":1883"


def check_opening_again_leaves_the_connection_before(world):
    stream = opened(world)
    send_all(stream, b"echo 5\nab")
    open_again(stream, world)
    send_all(stream, b"echo 2\nxy")
    assert read_exactly(stream, 2) == b"xy"
    stream.close()


CHECKS = (
    check_closed_before_it_is_opened,
    check_bytes_go_both_ways,
    check_a_part_is_all_that_recv_gives,
    check_a_peer_that_closes_is_told_after_its_last_byte,
    check_a_reset_is_told,
    check_partial_writes_lose_and_repeat_nothing,
    check_nobody_there_is_offline_and_the_next_attempt_is_fresh,
    check_a_name_that_is_none_is_offline,
    check_opening_again_leaves_the_connection_before,
)
