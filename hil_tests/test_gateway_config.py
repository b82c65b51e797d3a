"""A configuration that cannot be used: one line says where and what, exit 78, nothing started."""

import fcntl
import os
import select
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hil_tests.site import FACTORY, Site, write_secret
from tests.contract.brokers import free_port

_TIOCSPTLCK = 0x40045431
_TIOCGPTN = 0x80045430

#: What to spoil in gateway.toml: (change, code, words that its line must have)
Case = tuple[Callable[[dict[str, Any]], object], str, tuple[str, ...]]


class UntouchedPort:
    """A tty that nobody has opened yet, at `link`; tells whether somebody did."""

    def __init__(self, link: Path) -> None:
        self._fd = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
        fcntl.ioctl(self._fd, _TIOCSPTLCK, struct.pack("i", 0))
        number = struct.unpack("I", fcntl.ioctl(self._fd, _TIOCGPTN, bytes(4)))[0]
        link.parent.mkdir()
        link.symlink_to(f"/dev/pts/{number}")

    def was_opened(self) -> bool:
        """True once a process has opened and closed it; the kernel reports that as a hang-up."""
        poller = select.poll()
        poller.register(self._fd, 0)
        return any(events & select.POLLHUP for _, events in poller.poll(0))

    def close(self) -> None:
        os.close(self._fd)


@contextmanager
def untouched_port(link: Path) -> Iterator[UntouchedPort]:
    port = UntouchedPort(link)
    try:
        yield port
    finally:
        port.close()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, free_port(), FACTORY[:2] + FACTORY[3:4])


def refuse(site: Site, code: str, words: tuple[str, ...], exit_status: int = 78) -> None:
    """The gateway refuses to start, says so in two lines and has touched nothing."""
    before = sorted(path.name for path in site.folder.iterdir())
    with untouched_port(site.folder / "dev" / "bus1") as port, site.run_gateway() as gateway:
        status = gateway.wait_end()
        assert not port.was_opened()
    lines = gateway.errors.splitlines()
    assert (status, len(lines)) == (exit_status, 2), gateway.errors
    assert lines[0].startswith(f"error[{code}]: ")
    assert lines[1].startswith("next: ")
    assert [word for word in words if word not in lines[0]] == []
    (told,) = gateway.events
    assert (told["event"], told["code"], told["status"]) == ("error", code, exit_status)
    assert f"error[{code}]: {told['text']}" == lines[0] and f"next: {told['next']}" == lines[1]
    assert gateway.garbled == []
    after = sorted(path.name for path in site.folder.iterdir())
    assert set(after) - set(before) == {"gateway.log", "dev"}


def test_what_a_good_configuration_touches(site: Site) -> None:
    """What makes the tests below ones that can fail."""
    with untouched_port(site.folder / "dev" / "bus1") as port:
        assert not port.was_opened()
        with site.run_gateway() as gateway:
            gateway.wait_status(lambda e: e["devices"][0]["failures"], "the bus is asked")
        assert port.was_opened()
    assert site.journal.exists()


CASES: dict[str, Case] = {
    "unknown key": (
        lambda d: d["gateway"].update(jurnal="x"),
        "config.unknown_key",
        ("gateway.toml", "gateway.jurnal", "journal"),
    ),
    "unknown key of a device": (
        lambda d: d["device"][1].update(pol_ms=500),
        "config.unknown_key",
        ("device[1].pol_ms", "poll_ms"),
    ),
    "unknown table": (
        lambda d: d.update(uplinks={"broker": "mqtt://127.0.0.1"}),
        "config.unknown_key",
        ("uplinks", "uplink"),
    ),
    "missing key": (
        lambda d: d["gateway"].pop("tenant"),
        "config.missing_key",
        ("gateway.toml", "gateway.tenant"),
    ),
    "missing table": (lambda d: d.pop("uplink"), "config.missing_key", ("uplink",)),
    "wrong type": (
        lambda d: d["bus"][0].update(baud="9600"),
        "config.value",
        ("bus[0].baud", "9600"),
    ),
    "wrong type of a number": (
        lambda d: d["device"][0].update(poll_ms=500.5),
        "config.value",
        ("device[0].poll_ms", "500.5", "integer"),
    ),
    "a bool is no number": (
        lambda d: d["device"][0].update(station=True),
        "config.value",
        ("device[0].station", "integer"),
    ),
    "station out of range": (
        lambda d: d["device"][0].update(station=248),
        "config.value",
        ("device[0].station", "248", "247"),
    ),
    "baud that no line has": (
        lambda d: d["bus"][0].update(baud=9601),
        "config.value",
        ("bus[0].baud", "9601"),
    ),
    "duplicate station": (
        lambda d: d["device"][1].update(station=1),
        "config.duplicate",
        ("device.bus/station", "bus1/1"),
    ),
    "duplicate name": (
        lambda d: d["device"][1].update(name="grid"),
        "config.duplicate",
        ("device.name", "grid"),
    ),
    "unknown profile": (
        lambda d: d["device"][0].update(profile="eastron_sdm63"),
        "config.reference",
        ("device[0].profile", "eastron_sdm63", "eastron_sdm630"),
    ),
    "unknown bus": (
        lambda d: d["device"][2].update(bus="bus2"),
        "config.reference",
        ("device[2].bus", "bus2", "bus1"),
    ),
    "unknown point": (
        lambda d: d["stream"][0].update(point="grid.active_energy_inport"),
        "config.reference",
        ("stream[0].point", "grid.active_energy_import"),
    ),
    "unknown factor": (
        lambda d: d["stream"][0].update(factor="electricity_fosil"),
        "config.reference",
        ("stream[0].factor", "electricity_fossil"),
    ),
    "a gauge is no counter": (
        lambda d: d["stream"][0].update(point="grid.voltage_l1"),
        "config.value",
        ("stream[0].point", "grid.voltage_l1", "counter"),
    ),
    "a factor for heat on electricity": (
        lambda d: d["stream"][0].update(factor="heat_fossil"),
        "config.value",
        ("gateway.toml", "stream[0].factor", "heat_fossil", "energy"),
    ),
    "a counter of something else": (
        lambda d: d["stream"][2].update(point="steam.steam_mass_total"),
        "config.value",
        ("gateway.toml", "stream[2].point", "kg", "heat"),
    ),
    "plain MQTT to another machine": (
        lambda d: d["uplink"].update(broker="mqtt://broker.example:1883"),
        "config.value",
        ("uplink.broker", "mqtts://"),
    ),
    "authorities that are not there": (
        lambda d: d["uplink"].update(broker="mqtts://127.0.0.1", ca_file="no.pem"),
        "config.file",
        ("no.pem",),
    ),
    "key file that is not there": (
        lambda d: d["gateway"].update(key_file="no.key"),
        "config.secret",
        ("no.key",),
    ),
    "another version": (lambda d: d.update(version=2), "config.value", ("version", "2")),
}


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_named_and_nothing_is_started(site: Site, name: str) -> None:
    change, code, words = CASES[name]
    change(site.document)
    site.write()
    refuse(site, code, words)


def test_a_file_that_is_no_toml(site: Site) -> None:
    site.config.write_text(site.config.read_text().replace('id = "gw-1"', "id = gw-1"))
    refuse(site, "config.syntax", ("gateway.toml", "line"))


def test_a_file_that_is_not_there(site: Site) -> None:
    site.config.unlink()
    refuse(site, "config.file", ("gateway.toml",))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601])
def test_a_key_that_others_may_touch(site: Site, mode: int) -> None:
    site.key_file.chmod(mode)
    refuse(site, "config.secret", ("device.key", "others"))


@pytest.mark.parametrize("text", ["", "00" * 31, "0" * 63 + "g", "00" * 33])
def test_a_key_that_is_none_is_not_repeated(site: Site, text: str) -> None:
    write_secret(site.key_file, text)
    refuse(site, "config.secret", ("device.key", "64 hexadecimal digits"))
    assert not text or text not in (site.folder / "gateway.log").read_text()


def test_a_password_that_others_may_read_is_not_repeated(site: Site) -> None:
    (site.folder / "password").write_text("trombone")
    (site.folder / "password").chmod(0o644)
    site.document["uplink"].update(user="gw", password_file="password")
    site.write()
    refuse(site, "config.secret", ("password", "others"))
    assert "trombone" not in (site.folder / "gateway.log").read_text()


def test_a_journal_in_a_folder_that_is_not_there(site: Site) -> None:
    site.document["gateway"]["journal"] = "no/journal.db"
    site.write()
    refuse(site, "store.open", ("no/journal.db",), exit_status=74)
