"""An account taken up where its interval records left it: what only a start does."""

from edge.core.carbon.interval import CUMULATIVE, NUMBER, TIMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.account import Accountant


def restore(account: "Accountant", body: list, ancestors: dict[int, list[int]]) -> None:
    """Continue after the interval record `body`: same cumulatives, next interval.

    ancestors: stream number -> numbers that counted the same source, the newest first.
    """
    account.start_ms = body[1]
    counted = {entry[NUMBER]: entry for entry in body[2] if entry[CUMULATIVE] is not None}
    for tally in account.tallies:
        for number in ancestors.get(tally.number, [tally.number]):
            if number in counted:
                entry = counted[number]
                tally.restore(entry)
                times = entry[TIMES] if len(entry) > TIMES else []
                if len(times) == len(tally.timed):
                    for at, (_, _, _, timed) in enumerate(tally.timed):
                        timed.restore(times[at])
                break
    for tally in account.tallies:
        if tally.timed:
            from edge.core.carbon.timed import go_on

            go_on(tally, body[1])


def recall(account: "Accountant", body: list, ancestors: dict[int, list[int]]) -> None:
    """Take in what an earlier interval record says of hours that stacks look back to.

    The oldest first, up to and with the one given to `restore`. ancestors: as there.
    """
    entries = {entry[NUMBER]: entry for entry in body[2]}
    for stacks in account.stacks.values():
        for stack in stacks:
            for at in ancestors.get(stack.number, [stack.number]):
                if at in entries:
                    stack.recall(entries[at])
                    break


def looks_back(account: "Accountant") -> bool:
    """True when a stack needs `recall` after a restart."""
    stacks = [stack for group in account.stacks.values() for stack in group]
    return any([stack.meter.ledger is not None for stack in stacks])
