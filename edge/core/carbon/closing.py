"""The close of an interval: what each stream gained, and the totals.

The emission of an interval is R(C_end x f) - R(C_start x f) with R half-even to 1 mg, so that
intervals sum exactly to any longer period. What was not read in an interval is caught up by the
next: nothing is guessed, coverage says how much was seen.
"""

from edge.core.carbon.kinds import KINDS
from edge.core.carbon.totals import bases_of, totals_of
from edge.core.numbers.fixed import check_int64

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.account import Accountant
    from edge.core.carbon.tally import Tally


def close_interval(account: "Accountant", start_ms: int, end_ms: int) -> list[object]:
    """The body of the interval's record; a new interval begins for every tally."""
    span_ms = end_ms - start_ms
    entries: list = [None] * len(account.tallies)
    # A virtual meter reads its parts' polls and flags before they begin anew.
    for is_virtual in (True, False):
        for at, tally in enumerate(account.tallies):
            if bool(tally.parts) == is_virtual:
                entries[at] = _close_tally(tally, span_ms, end_ms)
    totals = totals_of(account.tallies, entries, bases_of(account.tallies))
    return [start_ms, end_ms, entries, _with_figures(account, start_ms, entries, totals)]


def _close_tally(tally: "Tally", span_ms: int, end_ms: int) -> list[object]:
    """The stream's entry in the interval record."""
    good, expected, flags, substituted, figures, state = tally.shut(span_ms, end_ms)
    end = tally.count()
    if end is None:
        others: list[object] = [None] * len(tally.rates)
        entry = [tally.number, None, 0, None, None, good, expected, flags, 0, others, []]
        return entry + [figures, []] if figures else entry
    start = end if tally.start is None else tally.start
    tally.start = end
    sign, ratios, scale = KINDS[tally.kind].emission, tally.ratios, tally.SCALE
    emissions = [
        sign * gained_of(start, end, ratios[at], ratios[at + 1] * scale)
        for at in range(2, len(ratios), 2)
    ]
    if tally.timed:
        from edge.core.carbon.timed import close_rates

        figures = figures + close_rates(tally, emissions, sign)
    entry = [
        tally.number,
        check_int64(end // scale, "a count"),
        end % scale,
        gained_of(start, end, ratios[0], ratios[1] * scale),
        emissions.pop(0),
        good,
        expected,
        flags,
        substituted,
        emissions,
        state,
    ]
    if figures or tally.timed:
        entry += [figures, [item[3].state() for item in tally.timed]]
    return entry


def gained_of(start: int, end: int, up: int, down: int) -> int:
    """R(end x up / down) - R(start x up / down); down: > 0.

    What lies under `start` is divided once, and what is added to it is small: a count is large.
    """
    before = start * up
    rest = before % down
    is_odd = before // down & 1
    moved = rest + (end - start) * up
    gained = moved // down
    return gained + _up(moved % down, down, is_odd + gained) - _up(rest, down, is_odd)


def _up(rest: int, down: int, quotient: int) -> int:
    """1 where half-even goes up from a quotient with this rest, 0 where it stays."""
    twice = 2 * rest
    return 1 if twice > down or (twice == down and quotient & 1) else 0


def _with_figures(
    account: "Accountant", start_ms: int, entries: list, totals: list
) -> list[object]:
    """The totals, with what they are divided by where the site has stated anything."""
    if not account.facts and not any([tally.coal for tally in account.tallies]):
        return totals
    from edge.core.carbon.figures import facts_at, figures_of

    facts = facts_at(account.facts, start_ms)
    figures = figures_of(account.tallies, entries, totals, facts)
    return totals + [figures] if figures else totals
