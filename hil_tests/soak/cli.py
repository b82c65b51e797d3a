"""`carbontally soak`: the simulator for as long as one likes."""

import json
import random
import time
from typing import TYPE_CHECKING, Annotated

import typer

from cloud_sync.cli_audit import progress
from edge.app.cli.bus import say
from hil_tests.soak.campaign import RUN_H, Total, run_campaign
from hil_tests.soak.simulation import Outcome, simulate

if TYPE_CHECKING:
    from hil_tests.crash_judge import Verdict

SEEDS = 1 << 31


def soak(
    hours: Annotated[float, typer.Option(help="Real hours to go on for.")] = 1.0,
    seed: Annotated[int | None, typer.Option(help="First seed; any one when left out.")] = None,
    runs: Annotated[int | None, typer.Option(help="Stop after so many runs.")] = None,
    days: Annotated[int, typer.Option(help="Virtual days of one run.")] = RUN_H // 24,
    crash_images: Annotated[
        int | None, typer.Option(min=1, help="Judge so many crash images of journals instead.")
    ] = None,
    trace: Annotated[bool, typer.Option(help="Tell one seed's story instead.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One object a run.")] = False,
) -> int:
    """Simulate gateways with every fault there is; print the seed of whatever fails.

    Exit status 1 when anything failed. A seed and its days replay exactly. --crash-images judges
    what power cuts, lying media and flipped bytes leave of real journals: a seed is a journal.
    """
    first = random.SystemRandom().randrange(SEEDS) if seed is None else seed
    if trace:
        return _trace(first, 24 * days)
    if crash_images is not None:
        return _crash_images(first, crash_images, as_json)
    end_at = time.monotonic() + hours * 3600

    def wanted(begun: int) -> bool:
        return time.monotonic() < end_at and (runs is None or begun < runs)

    print(f"SEED={first}", flush=True)
    total = run_campaign(first, 24 * days, wanted, _json if as_json else _tell)
    _conclude(total, as_json)
    return 1 if total.failed else 0


def _trace(seed: int, hours: int) -> int:
    lines: list[str] = []
    outcome = simulate(seed, hours, lines=lines)
    print(*lines, sep="\n")
    _tell(outcome)
    return 0 if outcome.ok else 1


def _crash_images(first: int, images: int, as_json: bool) -> int:
    from hil_tests.soak.crashes import judge_images  # needs apsw, which the simulation does not

    begun_s = time.monotonic()
    say(as_json, {"seed": first, "images": images}, f"SEED={first}")
    with progress("crash images", images, as_json) as advance:

        def tell(seed: int, verdict: "Verdict") -> None:
            advance(verdict["images"])
            if as_json:
                print(json.dumps({"seed": seed, **verdict}), flush=True)
            elif not verdict.is_clean:
                print(f"FAILED SEED={seed}: {dict(verdict)}", flush=True)

        total, failed = judge_images(first, images, tell)
    seconds = time.monotonic() - begun_s
    fact = {**total, "seconds": round(seconds, 1), "failed": failed}
    counts = ", ".join(f"{count} {name}" for name, count in total.items())
    say(as_json, fact, f"{counts}; {len(failed)} journals failed, {seconds:.0f} s")
    return 1 if failed else 0


def _tell(outcome: Outcome) -> None:
    if outcome.ok:
        return
    print(f"FAILED SEED={outcome.seed} hours={outcome.hours} kinds={','.join(outcome.kinds)}")
    for violation in outcome.violations[:5]:
        print(f"  {violation.invariant}: {violation.text}", flush=True)


def _json(outcome: Outcome) -> None:
    print(
        json.dumps(
            {
                "seed": outcome.seed,
                "hours": outcome.hours,
                "kinds": outcome.kinds,
                "digest": outcome.digest,
                "violations": [list(violation) for violation in outcome.violations],
                **outcome.counts,
            }
        ),
        flush=True,
    )


def _conclude(total: Total, as_json: bool) -> None:
    figures = {
        "runs": total.runs,
        "virtual_years": round(total.virtual_years, 2),
        "years_per_minute": round(total.years_per_minute, 2),
        "failed": [outcome.seed for outcome in total.failed],
    }
    if as_json:
        print(json.dumps(figures))
        return
    print(
        f"{total.runs} runs, {figures['virtual_years']} virtual years,"
        f" {figures['years_per_minute']} a minute, {len(total.failed)} failed"
    )
    print(", ".join(f"{count} {name}" for name, count in total.counts.items()))
