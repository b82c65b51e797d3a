"""`carbontally soak --crash-images`: real journals, only small ones and one process."""

import functools
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from hil_tests import crash_judge
from hil_tests.soak import crashes
from hil_tests.soak.cli import soak

SEED = 11


@pytest.fixture(autouse=True)
def small_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crash_judge, "ROUND_COMMITS", 6)
    monkeypatch.setattr(crash_judge, "ROUND_DAMAGED", 5)
    monkeypatch.setattr(crashes, "ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(crashes.os, "cpu_count", lambda: 1)


def judged(capsys: pytest.CaptureFixture[str], images: int) -> tuple[int, list[dict]]:
    """Exit status and what the command says."""
    status = soak(seed=SEED, crash_images=images, as_json=True)
    return status, [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_as_many_images_are_judged_as_asked_for(capsys: pytest.CaptureFixture[str]):
    status, (begun, *rounds, total) = judged(capsys, 100)
    assert status == 0 and begun == {"seed": SEED, "images": 100}
    assert [found["seed"] for found in rounds] == list(range(SEED, SEED + len(rounds)))
    assert sum(found["images"] for found in rounds) == total["images"] >= 100
    assert sum(found["images"] for found in rounds[:-1]) < 100
    assert (total["lost"], total["wrong"], total["silent"], total["failed"]) == (0, 0, 0, [])
    assert total["salvaged"] > 0


def test_a_journal_that_loses_rows_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    unsafe = functools.partial(crash_judge.write_journal, synchronous="NORMAL")
    monkeypatch.setattr(crash_judge, "write_journal", unsafe)
    monkeypatch.setattr(crash_judge, "ROUND_COMMITS", 20)
    status, (_, found, total) = judged(capsys, 1)
    assert status == 1 and total["failed"] == [SEED] == [found["seed"]]
    assert found["lost"] + found.get("wrong", 0) > 0


def test_a_judge_that_fails_is_a_failed_seed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def broken(seed: int) -> crash_judge.Verdict:
        raise RuntimeError("no room")

    monkeypatch.setattr(crashes, "judge_round", broken)
    status, (_, found, total) = judged(capsys, 1)
    assert status == 1 and total["failed"] == [SEED]
    assert found["wrong"] == 1 and "raised RuntimeError: no room" in found
