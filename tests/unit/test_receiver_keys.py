"""The receiver's key file, and what its command line refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync.broker import Broker, parse_broker, parse_stream
from cloud_sync.keys import read_keys
from cloud_sync.mqtt import Service
from cloud_sync.store.address import parse_address
from edge.core.errors import ConfigError, UsageError
from edge.core.errors.table import describe

SECRET = "00ff" * 16
KEY = bytes.fromhex(SECRET)


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_keys_stand_in_the_file_or_in_files_beside_it(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    other = "ab" * 32
    write(tmp_path / "sub" / "b.key", f"  {other}\n")
    keys = read_keys(
        write(
            tmp_path / "keys.toml",
            f'[park.gw-1]\nkey = "{SECRET.upper()}"\n[park."gw 2.x"]\nkey_file = "sub/b.key"\n',
        )
    )
    assert keys.find("park", "gw-1") == KEY
    assert keys.find("park", "gw 2.x") == bytes.fromhex(other)
    assert keys.find("works", "gw-1") is None and keys.find("gw-1", "park") is None
    assert len(keys) == 2 and repr(keys) == "Keys of 2 gateways"


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o700 | 0o001])
def test_a_file_that_others_may_use_is_refused(tmp_path: Path, mode: int):
    path = write(tmp_path / "keys.toml", f'[park.gw-1]\nkey = "{SECRET}"\n', mode)
    with pytest.raises(ConfigError) as caught:
        read_keys(path)
    assert caught.value.code == "config.secret"
    assert f"{mode:04o}" in describe(caught.value)[0]
    write(tmp_path / "b.key", SECRET, mode)
    write(path, '[park.gw-1]\nkey_file = "b.key"\n')
    with pytest.raises(ConfigError) as caught:
        read_keys(path)
    assert caught.value.code == "config.secret"
    assert str(caught.value.fields["file"]).endswith("b.key")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f'[park.gw-1]\nkey = "{SECRET[:-1]}"', "config.secret"),
        (f'[park.gw-1]\nkey = "{SECRET[:-1]}g"', "config.secret"),
        (f'[park.gw-1]\nkey = "{SECRET}', "config.syntax"),
        (f'[park.gw-1]\nkye = "{SECRET}"', "config.unknown_key"),
        (f'[park.gw-1]\nkey = "{SECRET}"\nkey_file = "x"', "config.missing_key"),
        ("[park.gw-1]", "config.missing_key"),
        (f'[[park.gw-1]]\nkey = "{SECRET}"\n[[park.gw-2]]\nkey = "{SECRET}"', "config.duplicate"),
        (f'[[park.gw-1]]\nkey = "{SECRET}"\n[[park.gw-1]]\nkey = "{SECRET}"', "config.duplicate"),
        (f'[park.gw-1]\nkey = "{SECRET}"\nfrom = 2026-11-20T08:00:00', "config.value"),
        (f'[park.gw-1]\nkey = "{SECRET}"\nuntil = "tomorrow"', "config.value"),
        (f'[park.gw-1]\nkey = "{SECRET}"\nrevoked = ""', "config.value"),
        (f'[park.gw-1]\nkey = "{SECRET}"\nrevoked = true', "config.value"),
        ("".join(f'[[p.g]]\nkey = "{n:064}"\n' for n in range(9)), "config.value"),
        (f'[park]\ngw-1 = "{SECRET}"', "config.value"),
        (f'park = "{SECRET}"', "config.value"),
        ("[park.gw-1]\nkey = 5", "config.value"),
        (f'[park."gw/1"]\nkey = "{SECRET}"', "config.value"),
        (f'["+".gw]\nkey = "{SECRET}"', "config.value"),
        ('[park.gw-1]\nkey_file = "nowhere"', "config.file"),
    ],
)
def test_a_wrong_key_file_is_refused_without_telling_the_key(tmp_path: Path, text: str, code: str):
    with pytest.raises(ConfigError) as caught:
        read_keys(write(tmp_path / "keys.toml", text))
    assert caught.value.code == code
    told = " ".join(describe(caught.value)) + repr(caught.value.fields)
    assert SECRET[:8] not in told and str(tmp_path) in told


def test_a_key_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(ConfigError) as caught:
        read_keys(tmp_path / "none.toml")
    assert caught.value.code == "config.file"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("mqtt://broker", ((("broker", 1883),), False)),
        ("mqtts://broker", ((("broker", 8883),), True)),
        ("mqtt://10.0.0.1:1999/", ((("10.0.0.1", 1999),), False)),
        ("mqtt://a,b:99", ((("a", 1883), ("b", 99)), False)),
        ("mqtts://[::1]:8884", ((("::1", 8884),), True)),
    ],
)
def test_broker_addresses(text: str, parsed: tuple):
    assert parse_broker(text) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "broker",
        "tcp://b",
        "mqtt://",
        "mqtt://b:x",
        "mqtt://b/path",
        "mqtt://u:hush@b",
        "mqtt://b,",
    ],
)
def test_wrong_broker_addresses(text: str):
    with pytest.raises(UsageError) as caught:
        parse_broker(text)
    assert caught.value.code == "usage.value"
    assert "--broker" in describe(caught.value)[0] and "hush" not in describe(caught.value)[0]


def test_stream_addresses():
    assert parse_stream("nats://a,b:99") == ((("a", 4222), ("b", 99)), False)
    assert parse_stream("tls://a") == ((("a", 4222),), True)
    for text in ("mqtt://a", "nats://", "nats://u:hush@a", "nats://a,,b"):
        with pytest.raises(UsageError) as caught:
            parse_stream(text)
        told = describe(caught.value)[0]
        assert "--stream" in told and "hush" not in told


def test_store_addresses():
    assert parse_address("sqlite:///cloud.db") == Path("cloud.db")
    assert parse_address("sqlite:////data/cloud.db") == Path("/data/cloud.db")
    assert parse_address("postgresql://host/db") == "postgresql://host/db"
    for text in ("mysql://user:hush@host/db", "cloud.db", "sqlite://", "sqlite:///"):
        with pytest.raises(UsageError) as caught:
            parse_address(text)
        told = describe(caught.value)[0]
        assert caught.value.code == "usage.value" and "--store" in told and "hush" not in told
    assert "--store is cloud.db;" in describe(_refused("cloud.db"))[0]


def _refused(text: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_address(text)
    return caught.value


def test_authorities_that_cannot_be_read(tmp_path: Path):
    for ca in (tmp_path / "none.pem", write(tmp_path / "bad.pem", "no certificate")):
        with pytest.raises(ConfigError) as caught:
            Service(Broker((("localhost", 8883),), True, "id", ca), lambda *_: None)
        assert caught.value.code == "config.file"


def test_the_command_exits_with_the_status_of_the_error(tmp_path: Path):
    keys = write(tmp_path / "keys.toml", f'[park.gw-1]\nkey = "{SECRET}"\n', 0o644)
    arguments = ["--broker", "mqtt://127.0.0.1:1", "--store", f"sqlite:///{tmp_path}/c.db"]
    ended = subprocess.run(
        [sys.executable, "-m", "edge", "receive", *arguments, "--keys", str(keys)],
        capture_output=True,
        text=True,
        env={**os.environ, "LC_ALL": "C"},
        timeout=30,
    )
    assert ended.returncode == 78 and "config.secret" in ended.stderr
    assert SECRET not in ended.stderr + ended.stdout and not (tmp_path / "c.db").exists()
