"""The journal against power cuts, lying media, flipped bytes and exchanged pages.

Every figure printed here is of this run: `pytest -s` shows them.
"""

import random
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hil_tests.crash_images import images
from hil_tests.crash_judge import (
    Verdict,
    flipped,
    judge_damaged,
    judge_honest,
    whole_image,
    work_folder,
    write_journal,
)

HONEST_IMAGES = 10_000
LYING_IMAGES = 400  # of each window
FLIPS = 1_200


@pytest.fixture()
def folder() -> Iterator[Path]:
    with work_folder() as name:
        (Path(name) / "made").mkdir()
        yield Path(name)


def fresh_journal(folder: Path, seed: int, commits: int, synchronous: str = "FULL"):
    shutil.rmtree(folder / "made")
    (folder / "made").mkdir()
    return write_journal(folder / "made", seed, commits, synchronous)


def test_no_power_cut_loses_what_append_promised(folder: Path):
    verdict, begun, seed = Verdict(), time.monotonic(), 0
    while verdict["images"] < HONEST_IMAGES:
        seed += 1
        ledger = fresh_journal(folder, seed, 60)
        for image in images(ledger.tape, seed):
            judge_honest(image, ledger, folder / "journal.db", verdict)
        assert (verdict["lost"], verdict["wrong"]) == (0, 0), f"seed {seed}"
    assert verdict["images"] >= 10_000
    rate = verdict["images"] / (time.monotonic() - begun)
    print(f"\n{verdict['images']} images of {seed} journals, {rate:.0f}/s: {dict(verdict)}")


def test_the_judge_finds_the_loss_that_synchronous_normal_allows(folder: Path):
    verdict = Verdict()
    ledger = fresh_journal(folder, 1, 40, "NORMAL")
    for image in images(ledger.tape, 1):
        judge_honest(image, ledger, folder / "journal.db", verdict)
    print(f"\nwith NORMAL: {dict(verdict)}")
    assert verdict["lost"] > 100


@pytest.mark.parametrize("window", [2, 8, 32])
def test_a_medium_that_lies_about_its_syncs_is_found_out(folder: Path, window: int):
    verdict = Verdict()
    ledger = fresh_journal(folder, window, 50)
    lied = images(ledger.tape, window, window)
    for _ in range(LYING_IMAGES):
        image = next(lied)
        judge_damaged(image, ledger, folder / "journal.db", verdict)
        assert (verdict["wrong"], verdict["silent"]) == (0, 0), image[:2]
    print(f"\n{window} syncs pretended: {dict(verdict)}")
    assert verdict["salvaged"] > 0 and verdict["unharmed"] > 0


def test_no_flipped_byte_gets_through(folder: Path):
    verdict, draw = Verdict(), random.Random(3)
    for seed in range(4):
        ledger = fresh_journal(folder, seed, 30)
        whole = whole_image(ledger)
        for _ in range(FLIPS // 4):
            image = flipped(whole, draw)
            judge_damaged(image, ledger, folder / "journal.db", verdict)
            assert (verdict["wrong"], verdict["silent"]) == (0, 0), f"seed {seed} {image.mode}"
    print(f"\nflips: {dict(verdict)}")
    assert verdict["found by the cloud"] == 0  # the head mark is there: all are found at home
    # A row whose record is hit is lost, and where its hash goes with it, the one after it.
    assert verdict["salvaged"] > 100 and verdict["rows lost"] < verdict["salvaged"] / 2


def zeroed(files: dict[str, bytes], draw: random.Random) -> dict[str, bytes]:
    """A page of the database replaced by zeros or by another page."""
    content = bytearray(files[""])
    pages = len(content) // 4096
    one, other = draw.randrange(pages), draw.randrange(pages)
    taken = draw.choice([bytes(4096), bytes(content[4096 * other : 4096 * (other + 1)])])
    content[4096 * one : 4096 * (one + 1)] = taken
    return {**files, "": bytes(content)}


def test_lost_and_exchanged_pages_are_found_and_the_rest_is_saved(folder: Path):
    verdict, draw = Verdict(), random.Random(9)
    ledger = fresh_journal(folder, 5, 60)
    whole = whole_image(ledger)
    for _ in range(150):
        image = whole._replace(files=zeroed(whole.files, draw))
        judge_damaged(image, ledger, folder / "journal.db", verdict)
        assert (verdict["wrong"], verdict["silent"]) == (0, 0)
    print(f"\npages: {dict(verdict)}")
