"""Clock, SNTP, configuration and NVS of the ESP32 on stand-ins for the board."""

import json
import struct
from pathlib import Path

import pytest

from edge.core.errors import ConfigError
from edge.core.journal.clock import ClockQuality
from edge.ports.esp32.clock import EPOCH_2000_MS, SYNCED_FOR_MS, BoardClock, epoch_of
from edge.ports.esp32.config_file import COPIES, read_copies, write_copies
from edge.ports.esp32.nvs import JournalMark, Vault
from edge.ports.esp32.ring_store import RingStore
from edge.ports.esp32.sntp import ANSWER_MS, REFRESH_MS, RETRY_MS, Sntp, decode_answer
from edge.ports.esp32.ticks import Ticks
from tests.contract.test_store import add, times
from tests.unit.board_doubles import WRAP, VirtualTicks
from tests.unit.flash_doubles import NorFlash

T0 = 1_800_000_000_000


def test_the_monotonic_clock_goes_on_over_the_wrap_of_the_ticks():
    ticks = VirtualTicks(1000 * (WRAP - 10_000))
    clock = BoardClock(Ticks(ticks.ms, ticks.us, ticks.diff), lambda: 0)
    for step in range(1, 2000):
        ticks.now_us += 3_600_000_000
        assert clock.mono_ms() == 3_600_000 * step


@pytest.mark.parametrize(("year", "epoch_ms"), [(2000, EPOCH_2000_MS), (1970, 0)])
def test_wall_time_is_unix_time_whatever_the_epoch_of_the_board(year: int, epoch_ms: int):
    ticks = VirtualTicks()
    read = [0]
    clock = BoardClock(Ticks(ticks.ms, ticks.us, ticks.diff), lambda: read[0], epoch_of(year))
    assert clock.quality() == ClockQuality.UNSET
    read[0] = T0 - epoch_ms
    assert clock.wall_ms() == T0 and clock.quality() == ClockQuality.HELD
    clock.synced()
    assert clock.quality() == ClockQuality.SYNCED
    for _ in range(25):
        ticks.now_us += 3_600_000_000
        clock.mono_ms()
    assert clock.mono_ms() > SYNCED_FOR_MS and clock.quality() == ClockQuality.HELD


class Server:
    """A UDP socket to an NTP server, one answer late by `late` looks; `change` damages it."""

    def __init__(self, unix_s: float) -> None:
        self.unix_s, self.late, self.asked, self.closed = unix_s, 0, 0, 0
        self.change = lambda packet: packet
        self.is_down = False
        self._answer: bytes | None = None

    def send(self, data: bytes) -> None:
        if self.is_down:
            raise OSError(118)
        self.asked += 1
        assert len(data) == 48 and data[0] == 0x23
        ntp = int((self.unix_s + 2_208_988_800) * 2**32) % 2**64
        packet = bytearray(struct.pack(">BBbb11I", 0x24, 2, 6, -20, *([0] * 11)))
        packet[24:32] = data[40:48]
        packet[40:48] = ntp.to_bytes(8, "big")
        self._answer = self.change(bytes(packet))

    def recv(self, limit: int) -> bytes:
        if self.late or self._answer is None:
            self.late -= 1
            raise OSError(11)
        data, self._answer = self._answer, None
        return data

    def close(self) -> None:
        self.closed += 1


def asking(server: Server) -> tuple[Sntp, list[int]]:
    set_to: list[int] = []
    return Sntp(lambda: server, set_to.append, lambda: b"cookie--"), set_to


def test_the_clock_is_set_once_an_hour_and_half_of_the_way_counts():
    server = Server(T0 / 1000)
    sntp, set_to = asking(server)
    server.late = 3
    for now_ms in range(0, 400, 50):
        sntp.step(now_ms)
    assert set_to == [T0 + 200 // 2] and server.closed == 1
    for now_ms in range(1000, REFRESH_MS, 60_000):
        sntp.step(now_ms)
    assert server.asked == 1
    sntp.step(REFRESH_MS + 250)
    assert server.asked == 2


def test_2036_is_another_era():
    server = Server(2_085_978_496 + 10)
    sntp, set_to = asking(server)
    sntp.step(0)
    sntp.step(0)
    assert set_to == [(2_085_978_496 + 10) * 1000]


@pytest.mark.parametrize(
    "change",
    [
        lambda packet: packet[:47],
        lambda packet: b"\xe4" + packet[1:],  # leap 3: not synchronized
        lambda packet: b"\x23" + packet[1:],  # not a server
        lambda packet: packet[:1] + b"\0" + packet[2:],  # kiss of death
        lambda packet: packet[:24] + bytes(8) + packet[32:],  # of another question
        lambda packet: packet[:40] + bytes(8),  # no time
        lambda packet: packet[:40] + b"\xe0" + bytes(7),  # before this was built
        lambda packet: packet[:40] + b"\x40" + bytes(7),  # 2070
    ],
)
def test_an_answer_that_is_none_sets_nothing_and_is_asked_for_again(change):
    server = Server(T0 / 1000)
    server.change = change
    sntp, set_to = asking(server)
    for now_ms in range(0, 3 * RETRY_MS, 50):
        sntp.step(now_ms)
    assert set_to == [] and server.asked == 2
    assert decode_answer(b"", b"cookie--") is None


def test_a_network_that_is_down_is_asked_less_and_less_often():
    server = Server(T0 / 1000)
    server.is_down = True
    sntp, set_to = asking(server)
    for now_ms in range(0, 60_000, 100):
        sntp.step(now_ms)
    server.is_down = False
    for now_ms in range(60_000, 130_000, 100):
        sntp.step(now_ms)
    assert len(set_to) == 1 and server.asked == 1
    assert ANSWER_MS < RETRY_MS


def test_a_configuration_survives_damage_of_either_copy_at_every_byte(tmp_path: Path):
    folder = str(tmp_path) + "/"
    document = {"gateway": {"id": "gw-1"}, "device": [1, 2, 3]}
    write_copies(document, folder)
    assert read_copies(folder) == (document, [])
    path = tmp_path / COPIES[0]
    whole = path.read_bytes()
    for at in range(len(whole)):
        for damaged in (whole[:at], whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :]):
            path.write_bytes(damaged)
            found, problems = read_copies(folder)
            assert found == document
            # Only the line end behind the check may be anything.
            assert problems or at >= len(whole) - 1, at
    path.unlink()
    assert read_copies(folder) == (document, ["config.json: errno 2"])
    (tmp_path / COPIES[1]).write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError) as caught:
        read_copies(folder)
    assert caught.value.code == "config.file"
    assert "config.json" in str(caught.value.fields["reason"])
    assert "config.bak" in str(caught.value.fields["reason"])


def test_a_copy_is_one_line_of_json_that_other_tools_read(tmp_path: Path):
    write_copies({"a": "ü"}, str(tmp_path) + "/")
    line, check = (tmp_path / COPIES[1]).read_text().splitlines()
    assert json.loads(line) == {"a": "ü"} and len(check) == 8


class Nvs:
    """An `esp32.NVS`: what is set lasts once committed."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self._fresh: dict[str, bytes] = {}

    def get_blob(self, name: str, buffer: bytearray) -> int:
        data = {**self.kept, **self._fresh}.get(name)
        if data is None:
            raise OSError(-4354)
        buffer[: len(data)] = data
        return len(data)

    def set_blob(self, name: str, data: bytes) -> None:
        self._fresh[name] = bytes(data)

    def commit(self) -> None:
        self.kept.update(self._fresh)


def test_secrets_are_there_or_named():
    nvs = Nvs()
    vault = Vault(nvs)
    with pytest.raises(ConfigError) as caught:
        vault.device_key()
    assert caught.value.code == "config.secret"
    vault.write("key", bytes(range(32)))
    vault.write("password", "hünü".encode())
    assert vault.device_key() == bytes(range(32)) and vault.text("password") == "hünü"
    assert nvs.kept.keys() == {"key", "password"} and vault.text("wifi") is None


def test_a_flash_that_was_lost_is_a_new_epoch_and_says_what_was_there():
    flash, mark = NorFlash(1 << 17), JournalMark(Vault(Nvs()))
    store = RingStore(flash, "gw-1", mark)
    add(store, 0, 1, 1, 1)
    epoch = store.epoch
    store.close()
    store = RingStore(NorFlash(1 << 17), "gw-1", mark)
    assert store.epoch != epoch and (store.next_seq, store.boot) == (0, 2)
    assert store.findings() == [("journal.lost", {"epoch": epoch.hex(), "last": 3})]


def test_a_flash_put_back_from_an_older_copy_reuses_no_seq():
    flash, mark = NorFlash(1 << 17), JournalMark(Vault(Nvs()))
    store = RingStore(flash, "gw-1", mark)
    add(store, 0, 1, 1)
    store.close()
    older = bytes(flash.cells)
    store = RingStore(flash, "gw-1", mark)
    add(store, 1, 1, 1)
    epoch = store.epoch
    store.close()
    flash.cells[:] = older
    store = RingStore(flash, "gw-1", mark)
    told = dict(store.findings())["journal.salvaged"]
    assert store.epoch != epoch and (told["carried"], told["lost"]) == (3, 3)
    assert times(store) == [0, 1000, 2000]
