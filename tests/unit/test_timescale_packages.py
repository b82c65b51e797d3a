"""What fetches a server for tests says in one line why it can't, and leaves one that is there."""

from pathlib import Path

import pytest

from hil_tests import timescale_packages

URIS = "'{}/debian/dists/stable/InRelease' x 0"
OFFLINE = f'[ "$1" = update ] && echo "{URIS}" || {{ echo "E: no route" >&2; exit 100; }}'


def commands(folder: Path, **bodies: str) -> str:
    """A search path with these commands alone."""
    for name, body in bodies.items():
        (folder / name.replace("_", "-")).write_text(f"#!/bin/sh\n{body}\n")
        (folder / name.replace("_", "-")).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ("bodies", "said"),
    [
        ({}, "No such file or directory: 'apt-get'"),
        ({"apt_get": "echo other"}, "apt knows no mirror of Debian"),
        (
            {"apt_get": f'echo "{URIS.format("file:")}"', "apt_cache": "echo postgresql-18"},
            "Debian testing has no TimescaleDB",
        ),
        ({"apt_get": OFFLINE}, "E: no route"),
    ],
)
def test_what_keeps_it_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd, bodies: dict[str, str], said: str
):
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", commands(tmp_path / "bin", **bodies))
    place = tmp_path / "place"
    assert timescale_packages.main(place) == 1
    (line,) = capfd.readouterr().err.splitlines()
    assert said in line
    assert not (place / "ready").exists()


def test_what_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "ready").touch()
    monkeypatch.setenv("PATH", "")
    assert timescale_packages.main(tmp_path) == 0
