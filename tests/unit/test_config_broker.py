"""Where the broker is: which addresses are understood, and none in plain text by mistake."""

from pathlib import Path

import pytest

from .test_config import read, refusal


@pytest.mark.parametrize(
    ("broker", "parts"),
    [
        ("mqtts://broker.example", ("broker.example", 8883, True)),
        ("mqtts://broker.example:1", ("broker.example", 1, True)),
        ("mqtts://10.0.0.5:65535", ("10.0.0.5", 65535, True)),
        ("mqtt://127.0.0.1", ("127.0.0.1", 1883, False)),
        ("mqtt://localhost:2883", ("localhost", 2883, False)),
        ("mqtt://[::1]:2883", ("::1", 2883, False)),
        ("mqtts://[2001:db8::5]:8884", ("2001:db8::5", 8884, True)),
    ],
)
def test_brokers_that_are_understood(tmp_path: Path, broker: str, parts: tuple):
    assert tuple(read(tmp_path, ("mqtts://broker.example", broker)).broker) == parts


@pytest.mark.parametrize(
    "broker",
    ["h:0", "h:65536", "h:-1", "h:1883x", "h:x", "h:²", "h:٣", ":8883", "[]:8883"],
)
def test_brokers_that_are_not(tmp_path: Path, broker: str):
    code, line = refusal(tmp_path, ("mqtts://broker.example", "mqtts://" + broker))
    assert code == "config.value" and "uplink.broker" in line and "mqtts://host:port" in line


@pytest.mark.parametrize("host", ["broker.example", "10.0.0.5:1883", "127.0.0.1.example"])
def test_no_plain_text_to_another_machine_unless_it_is_wanted(tmp_path: Path, host: str):
    plain = f'"mqtt://{host}"'
    code, line = refusal(tmp_path, ('"mqtts://broker.example"', plain))
    assert code == "config.value" and "mqtts://" in line and "allow_plain" in line
    wanted = read(tmp_path, ('"mqtts://broker.example"', plain + "\nallow_plain = true"))
    assert not wanted.broker.tls
