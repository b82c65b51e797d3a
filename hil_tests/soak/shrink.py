"""A failing seed made small: less time, fewer kinds of faults, and still the same failure."""

from collections.abc import Callable

from hil_tests.soak.simulation import Outcome

Run = Callable[[int, int, tuple[str, ...]], Outcome]


def _is_same(found: Outcome, wanted: Outcome) -> bool:
    letters = {violation.invariant for violation in wanted.violations}
    return any(violation.invariant in letters for violation in found.violations)


def shrink(failing: Outcome, run: Run, runs_max: int = 60) -> Outcome:
    """The smallest outcome found that breaks one of the same invariants.

    run: seed, hours, kinds -> outcome.
    """
    best = failing
    left = runs_max

    def attempt(hours: int, kinds: tuple[str, ...]) -> bool:
        nonlocal best, left
        if left <= 0 or hours < 1 or (hours, kinds) == (best.hours, best.kinds):
            return False
        left -= 1
        found = run(failing.seed, hours, kinds)
        if _is_same(found, failing):
            best = found
            return True
        return False

    while attempt(best.hours // 2, best.kinds) or attempt(best.hours * 4 // 5, best.kinds):
        pass
    size = len(best.kinds) // 2
    while size:
        at = 0
        while at < len(best.kinds):
            if not attempt(best.hours, best.kinds[:at] + best.kinds[at + size :]):
                at += size
        size //= 2
    while attempt(best.hours // 2, best.kinds) or attempt(best.hours * 4 // 5, best.kinds):
        pass
    return best
