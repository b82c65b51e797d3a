"""Crash images of many journals on all processors, until there are enough of them."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from hil_tests.crash_judge import Verdict, judge_round


def rounds(first_seed: int, images: int) -> Iterator[tuple[int, Verdict]]:
    """(seed, verdict) of first_seed, first_seed + 1, ..., until `images` have been judged.

    Each round is one journal and a few thousand images of it. A seed whose judge itself fails,
    as on a journal that cannot be opened, has the verdict {"wrong": 1}.
    """
    workers = os.cpu_count() or 1
    judged = begun = 0
    with ProcessPoolExecutor(workers) as pool:
        running: dict[Future[Verdict], int] = {}
        while True:
            while judged < images and len(running) < workers:
                running[pool.submit(_judge, first_seed + begun)] = first_seed + begun
                begun += 1
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                seed, verdict = running.pop(future), future.result()
                judged += verdict["images"]
                yield seed, verdict


def _judge(seed: int) -> Verdict:
    try:
        return judge_round(seed)
    except Exception as error:
        return Verdict({"images": 1, "wrong": 1, f"raised {type(error).__name__}: {error}": 1})


def judge_images(
    first_seed: int, images: int, tell: Callable[[int, Verdict], None]
) -> tuple[Verdict, list[int]]:
    """All verdicts added up, and the seeds that show a fault. tell: called with each round."""
    total, failed = Verdict(), []
    for seed, verdict in rounds(first_seed, images):
        total.update(verdict)
        if not verdict.is_clean:
            failed.append(seed)
        tell(seed, verdict)
    return total, sorted(failed)
