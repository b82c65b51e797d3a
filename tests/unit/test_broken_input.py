"""What a person may hand to a command by mistake: one code, never a traceback."""

from io import BytesIO
from pathlib import Path

import pytest

from cloud_sync.report import Report
from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.verifier import line_of, verify
from edge.__main__ import main
from edge.core.errors import BusError, ConfigError, SyncError
from edge.ports.linux.files import FILE_MAX_BYTES, parse_toml, read_bytes, read_password
from edge.ports.linux.serial_probe import ProbeLine

TOML = {
    "deep.toml": b"a = " + b"[" * 5000 + b"]" * 5000,
    "digits.toml": b"version = " + b"9" * 6000,
    "text.toml": b"\xff\xfe\x00version = 1",
    "nul.toml": b"version = 1\0",
}
#: Parsed by the same function, each in its own way around it.
COMMANDS = (
    "run -c {file}",
    "status -c {file}",
    "check -c {file}",
    "plan -c {file}",
    "buffer stats -c {file}",
    "factors check {file}",
    "profiles lint {file}",
    "profiles show {file}",
    "profiles test {file}",
    "emulate {file} --seconds 1",
    "keys list --file {file}",
    "keys revoke x --reason y --file {file}",
    "recompute --store sqlite:///{store} --config {file}",
    "report --store sqlite:///{store} --of 2026 --to {store}.report --config {file}",
    "recompute --store sqlite:///{store} --factors {file} --result r",
)


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBONTALLY_LANG", "en")


@pytest.mark.parametrize("name", TOML)
@pytest.mark.parametrize("words", COMMANDS)
def test_a_file_that_no_parser_takes_is_an_error_of_the_file(
    words: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_bytes(TOML[name])
    path.chmod(0o600)
    SqliteStore(tmp_path / "cloud.db").close()
    status = main(words.format(file=path, store=tmp_path / "cloud.db").split())
    done = capsys.readouterr()
    assert status == 78, done
    said = done.err + done.out
    assert str(path) in said and ("config.syntax" in said or "config.file" in said)


def test_a_depth_and_a_number_without_end_are_syntax() -> None:
    for data in (TOML["deep.toml"], TOML["digits.toml"]):
        with pytest.raises(ConfigError) as caught:
            parse_toml(data, "x")
        assert caught.value.code == "config.syntax"


def test_a_device_without_end_is_too_large() -> None:
    with pytest.raises(ConfigError) as caught:
        read_bytes(Path("/dev/zero"))
    assert caught.value.fields["reason"] == "larger than 1 MB"


def test_the_largest_file_is_read_and_no_larger_one(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes(FILE_MAX_BYTES))
    assert len(read_bytes(tmp_path / "x")) == FILE_MAX_BYTES
    (tmp_path / "x").write_bytes(bytes(FILE_MAX_BYTES + 1))
    with pytest.raises(ConfigError):
        read_bytes(tmp_path / "x")


def test_a_password_that_is_no_text_is_refused_and_not_made_another(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.touch(mode=0o600)
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(ConfigError) as caught:
        read_password(path)
    assert caught.value.fields["reason"] == "not UTF-8 text"
    path.write_bytes("caf\u00e9 \u56ed\u533a\r\nmore".encode())
    assert read_password(path) == "caf\u00e9 \u56ed\u533a"


@pytest.mark.parametrize("action", ["show", "test"])
def test_a_profile_that_lacks_what_is_shown_names_it(
    action: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "half.toml"
    path.write_text('id = "half"\nvendor = "V"\n')
    assert main(["profiles", action, str(path)]) == 78
    assert capsys.readouterr().err.startswith("error[config.missing_key]: ")


def test_a_profile_that_does_not_exist_is_told_without_all_the_others(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["read", "/dev/null", "1", "--profile", "quite_another_thing"]) == 78
    first = capsys.readouterr().err.splitlines()[0]
    assert first.endswith("did you mean one that `carbontally profiles list` shows?")


@pytest.mark.parametrize("name", ["file", "", "file/below", "x" * 300])
def test_what_is_no_serial_port_is_not_said_to_fail(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no port")
    with pytest.raises(BusError) as caught:
        ProbeLine(str(tmp_path / name), 9600, "8N1")
    assert caught.value.code == "bus.port" and caught.value.fields["trouble"] == "missing"
    if name == "file":
        assert caught.value.fields["reason"] == "it is no serial port"


def test_a_file_that_is_no_evidence_is_told_without_names_that_nobody_knows() -> None:
    (found,) = verify(BytesIO(b"nonsense\n"))
    assert line_of(found) == "BROKEN: line 1 does not have the form of this format"


@pytest.mark.parametrize(
    ("variable", "said"),
    [
        ({"CARBONTALLY_LANG": "zh"}, "下一步："),
        ({"LANG": "zh_CN.UTF-8"}, "下一步："),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "next: "),
    ],
)
def test_a_receiver_says_what_fails_in_the_language_of_who_runs_it(
    variable: dict[str, str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("CARBONTALLY_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    error = SyncError("sync.offline", server="broker:1883", reason="refused")
    Report(json=False).notice("failing", {"error": error})
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("error[sync.offline]: ") and lines[1].startswith(said)
