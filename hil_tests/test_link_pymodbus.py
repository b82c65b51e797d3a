"""The gateway's serial link against a station that is not ours: pymodbus' RTU server on a pty."""

import asyncio
import os
import select
import struct
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager

import minimalmodbus
import pytest
from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge.core.errors import BusError, DeviceError
from edge.ports.linux.serial_line import Line
from hil_tests.link_master import Master, master
from tests.contract.brokers import wait_until

BAUD = 115_200
STATION = 17

#: So long that no answer that came by waiting it out could pass for a quick one.
TIMEOUT_MS = 3_000

#: Every word of these 500 is another, and high and low bytes differ.
HOLDING = [(n * 40_503 + 7) & 0xFFFF for n in range(500)]
INPUT = [(n * 25_173 + 13_849) & 0xFFFF for n in range(500)]
TABLES = {3: HOLDING, 4: INPUT}

#: Address whose read the station refuses -> how.
REFUSALS = {400: ExcCodes.ILLEGAL_FUNCTION, 402: ExcCodes.ILLEGAL_VALUE, 404: ExcCodes.DEVICE_BUSY}

#: A voltage of 235.35 V as two registers, high word first, at an even address of both tables.
FLOAT_ADDRESS = 300
for table in TABLES.values():
    table[FLOAT_ADDRESS : FLOAT_ADDRESS + 2] = [0x436B, 0x5AB4]


async def refuse(
    _function: int, _start: int, address: int, _count: int, _registers: object, _values: object
) -> ExcCodes | None:
    return REFUSALS.get(address)


@contextmanager
def joined_ttys() -> Iterator[tuple[str, str]]:
    """Two ttys, each hearing what is written to the other."""
    pairs = [os.openpty() for _ in range(2)]
    for fd in [fd for pair in pairs for fd in pair]:
        tty.setraw(fd)
    other = {pairs[0][0]: pairs[1][0], pairs[1][0]: pairs[0][0]}
    stop_read_fd, stop_write_fd = os.pipe()

    def carry() -> None:
        while True:
            ready, _, _ = select.select([*other, stop_read_fd], [], [])
            if stop_read_fd in ready:
                return
            for fd in ready:
                os.write(other[fd], os.read(fd, 4096))

    thread = threading.Thread(target=carry, name="cable")
    thread.start()
    try:
        yield os.ttyname(pairs[0][1]), os.ttyname(pairs[1][1])
    finally:
        os.write(stop_write_fd, b"x")
        thread.join()
        for fd in (stop_read_fd, stop_write_fd, *pairs[0], *pairs[1]):
            os.close(fd)


@contextmanager
def pymodbus_server(port: str) -> Iterator[None]:
    """pymodbus serving STATION on `port`, in an event loop of its own thread."""
    blocks = [
        [SimData(0, values=True, datatype=DataType.BITS)],
        [SimData(0, values=True, datatype=DataType.BITS)],
        *([SimData(0, values=TABLES[f], datatype=DataType.REGISTERS)] for f in (3, 4)),
    ]
    device = SimDevice(STATION, simdata=tuple(blocks), action=refuse)  # type: ignore[arg-type]
    loop = asyncio.new_event_loop()
    servers: list[ModbusSerialServer] = []

    async def serve() -> None:
        server = ModbusSerialServer(device, port=port, baudrate=BAUD)
        await server.serve_forever(background=True)
        servers.append(server)
        await server.serving

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),), name="pymodbus")
    thread.start()
    try:
        wait_until(lambda: servers, "pymodbus listens")
        yield
    finally:
        stopping = servers[0].shutdown()  # type: ignore[no-untyped-call]
        asyncio.run_coroutine_threadsafe(stopping, loop).result(10)
        thread.join(10)
        loop.close()


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    """A tty at whose other end pymodbus answers."""
    with joined_ttys() as (ours, theirs), pymodbus_server(theirs):
        yield ours


@pytest.fixture
def link(port: str) -> Iterator[Master]:
    with master(port, TIMEOUT_MS, BAUD) as running:
        yield running


def read(link: Master, function: int, address: int, count: int) -> tuple[int, ...]:
    return link.read((STATION, function, address, count))


@pytest.mark.parametrize("function", [3, 4])
def test_every_register_is_that_of_the_datastore(link: Master, function: int) -> None:
    seen: list[int] = []
    for address, count in ((0, 125), (125, 125), (250, 1), (251, 24), (275, 120)):
        seen += read(link, function, address, count)
    assert seen == TABLES[function][:395]


def test_both_tables_are_told_apart(link: Master) -> None:
    assert HOLDING[:20] != INPUT[:20]
    for _ in range(20):
        assert list(read(link, 3, 0, 20)) == HOLDING[:20]
        assert list(read(link, 4, 0, 20)) == INPUT[:20]


@pytest.mark.parametrize(
    ("address", "code", "exception"),
    [
        (400, "device.illegal_function", 1),
        (499, "device.illegal_address", 2),
        (402, "device.illegal_value", 3),
        (404, "device.busy", 6),
    ],
)
@pytest.mark.parametrize("function", [3, 4])
def test_an_exception_is_coded_and_does_not_wait(
    link: Master, function: int, address: int, code: str, exception: int
) -> None:
    before_s = time.monotonic()
    with pytest.raises(DeviceError) as caught:
        read(link, function, address, 40)
    elapsed_s = time.monotonic() - before_s
    assert caught.value.code == code
    assert caught.value.fields == {
        "station": STATION,
        "function": function,
        "address": address,
        "count": 40,
        "exception": exception,
    }
    assert elapsed_s < TIMEOUT_MS / 1000 / 4
    # The line is not distrusted after an exception: the next read is as quick.
    assert list(read(link, function, 0, 10)) == TABLES[function][:10]
    assert time.monotonic() - before_s < TIMEOUT_MS / 1000 / 3


def test_a_transaction_ends_with_its_frame(link: Master) -> None:
    read(link, 3, 0, 10)
    times_ms = []
    for _ in range(50):
        before_s = time.monotonic()
        read(link, 3, 0, 10)
        times_ms.append((time.monotonic() - before_s) * 1000)
    median_ms = sorted(times_ms)[25]
    print(f"pymodbus at {BAUD} baud: {median_ms:.2f} ms (median) for a read of 10 registers")
    assert median_ms < TIMEOUT_MS / 60


@pytest.fixture
def instrument(port: str) -> Iterator[Line]:
    line = Line(port, BAUD, "8N1", TIMEOUT_MS)
    line.address = STATION
    yield line
    line.serial.close()


def test_plain_minimalmodbus_methods_work_through_the_line(instrument: Line) -> None:
    assert instrument.read_registers(0, 125) == HOLDING[:125]
    assert instrument.read_registers(200, 60, 4) == INPUT[200:260]
    assert instrument.read_register(33, functioncode=4) == INPUT[33]
    assert instrument.read_long(10) == HOLDING[10] << 16 | HOLDING[11]
    expected = struct.unpack(">f", bytes.fromhex("436B5AB4"))[0]
    assert instrument.read_float(FLOAT_ADDRESS) == expected
    assert instrument.read_float(FLOAT_ADDRESS, 4) == expected


def test_plain_minimalmodbus_writes_through_the_line(instrument: Line) -> None:
    before = instrument.read_register(350)
    try:
        instrument.write_registers(350, [1, 2, 3])
        assert instrument.read_registers(350, 3) == [1, 2, 3]
        instrument.write_register(350, 4_711, functioncode=6)
        assert instrument.read_register(350) == 4_711
    finally:
        instrument.write_registers(350, [before, *HOLDING[351:353]])


def test_minimalmodbus_names_the_exception_and_does_not_wait(instrument: Line) -> None:
    before_s = time.monotonic()
    with pytest.raises(minimalmodbus.IllegalRequestError):
        instrument.read_registers(499, 2)
    assert time.monotonic() - before_s < TIMEOUT_MS / 1000 / 4


def test_a_port_that_is_in_use_is_said_so(link: Master, port: str) -> None:
    read(link, 3, 0, 1)
    with master(port, TIMEOUT_MS, BAUD) as second, pytest.raises(BusError) as caught:
        read(second, 3, 0, 1)
    assert caught.value.code == "bus.port"
    assert caught.value.fields["port"] == port
