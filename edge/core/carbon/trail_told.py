"""A trail as plain objects: what the gateway's `explain` and the cloud's API tell alike.

Every number is an integer or exact text. `instant` makes a text of Unix milliseconds.
"""

from edge.core.numbers.fixed import format_decimal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.core.carbon.trail import Product, Step, Trail
    from edge.core.journal.record import Record


def tell_figure(
    trail: "Trail", interval: "Record", digest: bytes, instant: "Callable[[int], str]"
) -> dict:
    """What figure it is, where it stands, and the readings it was made of."""
    return {
        "stream": trail.name,
        "kind": trail.definition[3],
        "scope": trail.definition[4],
        "method": trail.definition[10],
        "record": interval.seq,
        "record_hash": digest.hex(),
        "start": instant(interval.body[0]),
        "end": instant(interval.body[1]),
        "unit": trail.unit,
        "readings": [_reading(step, trail.places, instant) for step in trail.steps],
        "activity_unit": trail.definition[5],
        "polls": {"good": trail.entry[5], "expected": trail.entry[6]},
    }


def _reading(step: "Step", places: int, instant: "Callable[[int], str]") -> dict:
    return {
        "record": step.seq,
        "time": instant(step.wall_ms),
        "register": format_decimal(step.register, places),
        "move": None if step.move is None else format_decimal(step.move, places),
        "events": step.told,
    }


def tell_product(product: "Product", factor: "dict | None") -> dict:
    """Count times factor at both ends, in mg; factor: what is known of it."""
    return {
        "basis": product.basis,
        "factor": factor,
        "mg_per_count": "{}/{}".format(product.numerator, product.denominator),
        "sign": product.sign,
        "start_mg": product.start_mg,
        "end_mg": product.end_mg,
        "rounding": "half to even, 1 mg",
        "emission_mg": product.emission_mg,
        "recorded_mg": product.recorded_mg,
    }
