import gc

from edge.core.carbon import streams
from edge.core.carbon.account import Accountant
from edge.core.numbers import pack

#: What a close and its record may take on the heap of a microcontroller.
CLOSE_BYTES_MAX = 60 * 1024
STREAMS = 40
QUARTER = 900_000
T0 = 1_800_000_000_000


def forty():
    factor = streams.Factor("f", "energy", 832_500, "set", bytes(32))
    made = [
        streams.counter_stream(
            number,
            "stream",
            "grid_import",
            factor,
            "kW.h",
            3,
            60_000,
            (number // 8, number % 8),
            b"",
        )
        for number in range(STREAMS)
    ]
    return Accountant(tuple(made), QUARTER)


def feed(account, at_ms, register):
    for device in range(STREAMS // 8):
        account.observe(device, 1, at_ms, T0 + at_ms, [register + device] * 8, {})


def test_a_close_of_forty_streams_fits_the_heap():
    if not hasattr(gc, "mem_alloc"):
        return  # CPython has no such count: the figure is MicroPython's
    gc.collect()
    before = gc.mem_alloc()
    account = forty()
    feed(account, 0, 48_211_027)
    account.close(T0 + QUARTER)
    feed(account, QUARTER, 48_211_552)
    gc.collect()
    kept = gc.mem_alloc() - before
    gc.disable()
    start = gc.mem_alloc()
    body = account.close(T0 + 2 * QUARTER)
    data = pack.encode(body)
    used = gc.mem_alloc() - start
    gc.enable()
    print(f'heap {{"close": {used}, "account": {kept}, "record": {len(data)}}}')
    assert len(body[2]) == STREAMS
    assert used <= CLOSE_BYTES_MAX
