"""Commands that can't write where they were told to: a code, the file, and no traceback."""

import errno
import json
import os
from pathlib import Path

import pytest

from cloud_sync.cli_audit import _written as evidence_file
from edge.__main__ import main
from edge.app.cli.buffer import _write_file
from edge.app.cli.writing import written
from edge.app.output import output_error
from edge.core.errors import TallyError
from hil_tests.site import Site, write_secret

from .source_tree import ROOT

FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.fixture(autouse=True)
def english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CARBONTALLY_LANG", "en")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("keys add p/g --file {file}/keys.toml", "config.file"),
        ("tokens add --tenant p --name n --file {file}/tokens.json", "config.file"),
        ("profiles new Acme M1 --out {file}", "config.file"),
        ("build esp32 -b {board} -c {config} -o {file}/out", "usage.file"),
    ],
)
def test_a_place_that_cannot_be_written_is_told(
    words: str, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site = Site(tmp_path, 1883)
    site.document["bus"][0]["port"] = "bus0"
    site.write()
    write_secret(tmp_path / "file", "no folder")
    board = ROOT / "boards" / "esp32_devkitc_max485"
    text = words.format(file=tmp_path / "file", board=board, config=site.config)
    assert main([*text.split(), "--json"]) in (74, 78)
    done = capsys.readouterr()
    told = json.loads(done.out)
    assert told["code"] == code and "Not a directory" in told["text"]
    assert str(tmp_path / "file") in told["fields"]["file"]
    assert done.err.startswith(f"error[{code}]: ")


def test_evidence_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    write_secret(tmp_path / "file", "no folder")
    with pytest.raises(TallyError) as caught, evidence_file(tmp_path / "file" / "e.ndjson"):
        pass
    assert caught.value.code == "cloud.file"
    assert caught.value.fields["reason"] == "Not a directory"


def test_a_full_disk_names_the_file_and_not_standard_output(tmp_path: Path) -> None:
    with pytest.raises(TallyError) as caught, written(tmp_path / "x"):
        raise FULL
    assert caught.value.code == "usage.file"
    assert caught.value.fields == {"file": str(tmp_path / "x"), "reason": FULL.strerror}


def test_a_failure_that_names_its_file_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(verb: str, argv: list[str]) -> int:
        raise PermissionError(errno.EACCES, "Permission denied", "/etc/somewhere")

    monkeypatch.setattr("edge.__main__.dispatch", fail)
    assert main(["plan", "--json"]) == 74
    done = capsys.readouterr()
    assert done.err.startswith("error[usage.file]: file /etc/somewhere cannot be used: Permission")
    assert json.loads(done.out)["fields"]["file"] == "/etc/somewhere"


def test_what_has_no_file_and_is_no_full_disk_stays_a_bug() -> None:
    assert output_error(OSError(errno.EBADF, "bad")) is None
    said = output_error(FULL)
    assert said is not None and said.code == "usage.output"


def test_an_export_that_finds_no_room_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise FULL

    monkeypatch.setattr("edge.app.cli.buffer._write_lines", fail)
    with pytest.raises(OSError):
        _write_file(None, 0, 0, tmp_path / "x")  # type: ignore[arg-type]
    assert not (tmp_path / "x").exists()
