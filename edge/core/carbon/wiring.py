"""Tallies made from streams, and who takes in which poll: what only a start does."""

from edge.core.carbon.interval import TARIFF
from edge.core.carbon.tally import CounterTally, Tally

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.core.carbon.account import Accountant
    from edge.core.carbon.stack_tally import StackTally
    from edge.core.carbon.streams import Stream
    from edge.core.carbon.tariff import Tariff


def wire(
    account: "Accountant", streams: "tuple[Stream, ...]", tariffs: "tuple[Tariff, ...]"
) -> None:
    """Give the account its tallies. Raises ConfigError for a tariff that is not there."""
    by_number: dict[int, Tally] = {}
    for stream in streams:
        tally = _make_tally(account, stream)
        _give(tally, stream)
        by_number[stream.number] = tally
        account.tallies.append(tally)
    for stream, tally in zip(streams, account.tallies):
        if stream.summands:
            tally.parts = [(by_number[part.stream], part.weight) for part in stream.summands]
    for stream, tally in zip(streams, account.tallies):
        rates = [stream.factor] + [rate.factor for rate in stream.rates]
        if any([factor.startswith(TARIFF) for factor in rates]):
            from edge.core.carbon.timed import wire_rates

            wire_rates(stream, tally, tariffs)


def _make_tally(account: "Accountant", stream: "Stream") -> Tally:
    """The tally that fits the stream's source, where the account finds it."""
    ratios = tuple(stream.activity) + (stream.numerator, stream.denominator)
    for rate in stream.rates:
        ratios += (rate.numerator, rate.denominator)
    if stream.source.stack is not None:
        from edge.core.carbon.stack_tally import StackTally

        stack = StackTally(stream, ratios)
        _watch(account, stack)
        return stack
    if stream.summands:
        from edge.core.carbon.virtual import VirtualTally

        virtual = VirtualTally(stream, ratios)
        account.waiting.append(virtual)
        return virtual
    counter = CounterTally(stream, ratios)
    account.counters.setdefault(stream.source.inputs[0][0], []).append(counter)
    return counter


def _give(tally: Tally, stream: "Stream") -> None:
    """What few streams have is on those tallies only."""
    if stream.basis:
        tally.basis = stream.basis
    if stream.rates:
        tally.rates = stream.rates
    if stream.coal:
        tally.coal = stream.coal


def _watch(account: "Accountant", stack: "StackTally") -> None:
    source = stack.stream.source
    account.stacks.setdefault(source.inputs[0][0], []).append(stack)
    places = [(item[0], item[1]) for item in source.inputs]
    status = source.status
    for device, point in places + ([] if status is None else [(status[0], status[1])]):
        account.watched.setdefault(device, []).append(point)
