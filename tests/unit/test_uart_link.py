"""The Link of the ESP32 on a line in virtual time: when it sends, what it takes, what it names."""

import struct

import pytest

from edge.core.bus.plan import line_timing
from edge.core.bus.rtu import decode_read_reply, encode_read
from edge.core.errors import BusError
from edge.ports.esp32.ticks import Ticks
from edge.ports.esp32.uart_link import DRIVER_US, FIFO_BYTES, LOOKS, NOISE_LIMIT_US, UartLink

from .board_doubles import WRAP, VirtualTicks, VirtualUart
from .port_doubles import crc16

BAUD = 9600
CHARACTER_US = 1042
SILENCE_US = 7 * CHARACTER_US // 2
TIMEOUT_MS = 300
STEP_US = 500
#: How often a gateway looks at everything, and at the most at a bus that is busy.
LOOK_US, BUSY_US = 50_000, 3_000


def good(frame: bytes, station: int | None = None) -> bytes:
    """What a station answers to a read: the addresses as values."""
    address, count = struct.unpack(">HH", frame[2:6])
    body = bytes((frame[0] if station is None else station, frame[1], 2 * count))
    body += b"".join(struct.pack(">H", address + at) for at in range(count))
    return body + crc16(body)


def exception(frame: bytes) -> bytes:
    body = bytes((frame[0], frame[1] | 0x80, 2))
    return body + crc16(body)


class Site:
    """A link, its line and its time."""

    def __init__(self, start_us: int = 0, has_drive: bool = True) -> None:
        self.answers: list[list[tuple[int, bytes]]] = []
        self.ticks = VirtualTicks(start_us)
        self.uart = VirtualUart(self.ticks, CHARACTER_US, self._answer)
        drive = self.uart.drive if has_drive else None
        ticks = Ticks(self.ticks.ms, self.ticks.us, self.ticks.diff)
        self.link = UartLink(self.uart, drive, line_timing(BAUD, 10), ticks)
        self.request = b""

    def _answer(self, frame: bytes) -> list[tuple[int, bytes]]:
        return self.answers.pop(0) if self.answers else [(20_000, good(frame))]

    def read(self, station: int = 1, count: int = 4, gap_ms: int = 0) -> tuple[int, ...]:
        self.request = encode_read(station, 3, 0x100, count)
        self.link.start(self.request, TIMEOUT_MS, gap_ms)
        while (reply := self.link.poll()) is None:
            self.ticks.now_us += STEP_US
            assert self.link.is_busy
        assert not self.link.is_busy
        return decode_read_reply(self.request, reply)

    def read_as_told(self, count: int) -> tuple[int, int]:
        """Read as a gateway does: (looks, when the last byte was there)."""
        self.request = encode_read(1, 3, 0x100, count)
        self.link.start(self.request, TIMEOUT_MS)
        looks = whole_us = 0
        look_us = self.ticks.now_us
        while True:
            rest_us = 1000 * self.link.rest_ms()
            looks += len(self.uart.sent)
            if not rest_us or self.ticks.now_us >= look_us:
                reply = self.link.poll()
                look_us = self.ticks.now_us + LOOK_US
                if reply is not None:
                    break
                rest_us = 1000 * self.link.rest_ms()
            whole_us = self.uart.ends_us() or whole_us
            self.ticks.now_us += max(BUSY_US, min(rest_us, look_us - self.ticks.now_us))
        assert decode_read_reply(self.request, reply) == tuple(range(0x100, 0x100 + count))
        return looks, whole_us

    def fails(self, **read) -> BusError:
        with pytest.raises(BusError) as caught:
            self.read(**read)
        return caught.value

    def found(self) -> list[str]:
        return [finding.code for finding in self.link.findings()]


@pytest.fixture(params=[True, False], ids=["de_pin", "auto"])
def site(request) -> Site:
    return Site(has_drive=request.param)


def test_a_read_is_one_write_and_one_reply(site: Site):
    assert site.read() == (0x100, 0x101, 0x102, 0x103)
    assert [frame for _, frame in site.uart.sent] == [site.request]
    assert abs(site.link.latency_us - 20_000) <= 2 * STEP_US + CHARACTER_US
    assert site.found() == []


def test_the_driver_is_on_from_the_first_bit_to_the_last():
    site = Site()
    site.read()
    (on_us, on), (off_us, off) = site.uart.driven
    sent_us, frame = site.uart.sent[0]
    assert (on, off) == (1, 0) and on_us == sent_us
    assert off_us == sent_us + len(frame) * CHARACTER_US


def test_the_driver_goes_off_when_the_port_fails():
    site = Site()

    def failing() -> None:
        raise OSError(5)

    site.uart.flush = failing  # type: ignore[method-assign]
    assert site.fails().code == "bus.port"
    assert [level for _, level in site.uart.driven] == [1, 0]


@pytest.mark.parametrize("count", [1, 2, 60, 61, 125])
def test_frames_of_every_length(site: Site, count: int):
    assert site.read(count=count) == tuple(range(0x100, 0x100 + count))


@pytest.mark.parametrize("count", [1, 2, 30, 60, 125])
def test_who_looks_when_told_looks_seldom_and_is_not_late(site: Site, count: int):
    site.answers = [[(20_000, good(encode_read(1, 3, 0x100, count)))]]
    looks, whole_us = site.read_as_told(count=count)
    late_us = site.ticks.now_us - whole_us
    frame_us = (5 + 2 * count) * CHARACTER_US
    assert looks <= 12 and 0 <= late_us <= BUSY_US + frame_us // LOOKS + CHARACTER_US
    assert abs(site.link.latency_us - 20_000) <= BUSY_US + CHARACTER_US + frame_us // LOOKS


@pytest.mark.parametrize("answer_bytes", [0, 3, 5, 40, 124])
def test_who_looks_when_told_sees_a_reply_that_breaks_off(site: Site, answer_bytes: int):
    whole = good(encode_read(1, 3, 0x100, 60))
    site.answers = [[(20_000, whole[:answer_bytes])]]
    with pytest.raises(BusError) as caught:
        site.read_as_told(count=60)
    assert caught.value.code == ("bus.short" if answer_bytes else "bus.timeout")
    waited_us = site.ticks.now_us - site.uart.sent[0][0] - 8 * CHARACTER_US
    allowed_us = 1000 * TIMEOUT_MS + (FIFO_BYTES + 8) * CHARACTER_US + DRIVER_US
    assert waited_us <= allowed_us + BUSY_US


def test_silence_is_kept_between_frames_and_a_station_gets_its_rest(site: Site):
    site.read()
    ended_us = site.ticks.now_us
    site.read()
    assert SILENCE_US <= site.uart.sent[1][0] - ended_us <= SILENCE_US + STEP_US
    ended_us = site.ticks.now_us
    site.read(gap_ms=80)
    assert 80_000 <= site.uart.sent[2][0] - ended_us <= 80_000 + STEP_US


def test_an_exception_ends_the_transaction_as_it_comes(site: Site):
    site.answers = [[(20_000, exception(encode_read(1, 3, 0x100, 4)))]]
    started_us = site.ticks.now_us
    with pytest.raises(Exception) as caught:
        site.read(count=4)
    assert getattr(caught.value, "code", "") == "device.illegal_address"
    assert site.ticks.now_us - started_us < 60_000


def test_silence_is_a_timeout_counted_from_the_last_bit(site: Site):
    site.answers = [[]]
    error = site.fails()
    assert error.code == "bus.timeout" and error.fields["timeout_ms"] == TIMEOUT_MS
    waited_us = site.ticks.now_us - site.uart.sent[0][0] - 8 * CHARACTER_US
    # A frame shows when it is whole: its own time, and the driver's, are allowed on top.
    allowed_us = 1000 * TIMEOUT_MS + 13 * CHARACTER_US + DRIVER_US
    assert 1000 * TIMEOUT_MS <= waited_us <= allowed_us + 2 * STEP_US


def test_a_frame_that_breaks_off_is_short(site: Site):
    site.answers = [[(20_000, good(encode_read(1, 3, 0x100, 4))[:9])]]
    error = site.fails()
    assert error.code == "bus.short" and len(str(error.fields["frame_hex"])) == 18


def test_a_late_reply_never_answers_the_next_request(site: Site):
    site.answers = [[(600_000, good(encode_read(1, 3, 0x100, 4)))]]
    assert site.fails().code == "bus.timeout"
    assert site.read(station=2) == (0x100, 0x101, 0x102, 0x103)
    first_us, second_us = (at_us for at_us, _ in site.uart.sent)
    assert second_us - first_us >= 3 * 1000 * TIMEOUT_MS
    assert site.found() == ["bus.late"]


def test_a_second_device_with_the_number_is_named(site: Site):
    reply = good(encode_read(1, 3, 0x100, 4))
    site.answers = [[(20_000, reply), (60_000, reply)]]
    site.read()
    site.ticks.now_us += 200_000
    site.read()
    assert site.found() == ["bus.two_answers"]


def test_another_master_is_named(site: Site):
    site.read()
    site.uart.babble(10_000, encode_read(9, 3, 0, 1))
    site.ticks.now_us += 100_000
    site.read()
    assert site.found() == ["bus.foreign_master"]


@pytest.mark.parametrize("count", [1, 4])
def test_an_adapter_that_echoes_is_read_through(site: Site, count: int):
    request = encode_read(1, 3, 0x100, count)
    site.answers = [[(-8 * CHARACTER_US, request), (20_000, good(request))]]
    assert site.read(count=count)[0] == 0x100
    assert site.found() == ["bus.echo"]


def test_a_reply_behind_stray_bytes_is_found(site: Site):
    request = encode_read(1, 3, 0x100, 4)
    site.answers = [[(20_000, b"\x00\xff" + good(request))]]
    assert site.read() == (0x100, 0x101, 0x102, 0x103)


def test_a_damaged_frame_is_for_the_caller_to_see(site: Site):
    damaged = bytearray(good(encode_read(1, 3, 0x100, 4)))
    damaged[4] ^= 1
    site.answers = [[(20_000, bytes(damaged))]]
    assert site.fails().code == "bus.crc"
    site.link.distrust()
    asked_us = site.uart.sent[0][0]
    site.read()
    assert site.uart.sent[1][0] - asked_us >= 3 * 1000 * TIMEOUT_MS


def test_a_line_that_is_never_silent_is_noise(site: Site):
    site.uart.babble(0, b"\x55" * 3000)
    started_us = site.ticks.now_us
    error = site.fails()
    assert error.code == "bus.noise" and set(str(error.fields["frame_hex"])) == {"5"}
    assert 0 <= site.ticks.now_us - started_us - NOISE_LIMIT_US < 10_000
    assert site.uart.sent == []


def test_a_port_that_fails_is_told_once_and_tried_again(site: Site):
    site.uart.failing = True
    error = site.fails()
    assert error.code == "bus.port" and error.fields["reason"] == "errno 5"
    site.uart.failing = False
    site.read()


@pytest.mark.parametrize("idle_us", [0, 400_000_000, 700_000_000, 1_073_741_000, 3_600_000_000])
@pytest.mark.parametrize("start_us", [0, (WRAP - 20_000), 1000 * WRAP - 20_000])
def test_ticks_may_wrap_while_it_works_and_while_it_rests(start_us: int, idle_us: int):
    site = Site(start_us)
    site.answers = [[]]
    assert site.fails().code == "bus.timeout"
    site.ticks.now_us += idle_us
    started_us = site.ticks.now_us
    site.read()
    # It never hurries, and at worst rests once more.
    late_us = max(0, 3 * 1000 * TIMEOUT_MS - (started_us - site.uart.sent[0][0]))
    assert late_us <= site.uart.sent[1][0] - started_us + STEP_US + 8 * CHARACTER_US
    assert site.uart.sent[1][0] - started_us < 1_000_000
    assert site.read(gap_ms=50)
