"""A point as it is written down: one entry of `points` in a profile or a SunSpec model.

Its shape is checked by the JSON Schema; here is what a schema cannot say.
"""

from edge.core.bus.points import IDENTITY, Point, Term
from edge.core.bus.rtu import BIT_FUNCTIONS
from edge.core.errors import ProfileError, TallyError
from edge.core.numbers import fixed, words


def refuse(profile_id: str, reason: str) -> None:
    """Raise ProfileError "config.profile"."""
    raise ProfileError("config.profile", profile=profile_id, reason=reason)


def list_of(document: dict[str, object], key: str) -> list:
    """The list under `key`, empty when there is none."""
    value = document.get(key, [])
    return value if isinstance(value, list) else []


def _decimal(document: dict[str, object], key: str, default: str, where: str) -> tuple[int, int]:
    try:
        return fixed.parse_decimal(str(document.get(key, default)))
    except TallyError:
        raise ProfileError("config.profile", profile=where, reason=key + " is no plain decimal")


def _parse_term(document: dict[str, object], where: str) -> Term:
    for key in ("address", "type", "scale"):
        if key not in document:
            refuse(where, key + " or terms is missing")
    term = Term(
        int(str(document["address"])),
        str(document["type"]),
        _decimal(document, "scale", "", where),
    )
    if term.kind not in words.WIDTHS:
        refuse(where, "unknown type " + term.kind)
    if term.scale[0] == 0:
        refuse(where, "scale is zero")
    return term


def _span_of(places: list[tuple[int, int]], where: str) -> tuple[int, int]:
    """(first address, registers) that cover every (address, registers)."""
    first = min([address for address, _ in places])
    end = max([address + count for address, count in places])
    if first < 0 or end > 65536:
        refuse(where, "runs past address 65535")
    return first, end - first


def _parse_text(document: dict[str, object], where: str, function: int) -> Point:
    if document["class"] != IDENTITY:
        refuse(where, "a str has class identity")
    if "address" not in document or "count" not in document:
        refuse(where, "address or count is missing")
    place = (int(str(document["address"])), int(str(document["count"])))
    address, span = _span_of([place], where)
    name = str(document["name"])
    one, zero = (1, 0), (0, 0)
    return Point(
        name,
        function,
        address,
        span,
        "str",
        one,
        zero,
        "1",
        0,
        IDENTITY,
        False,
        (),
        None,
        (),
        None,
    )


def parse_point(document: dict[str, object], profile_id: str, default: int) -> Point:
    """The point that `document` describes; default: the profile's function.

    Raises ProfileError "config.profile".
    """
    name = str(document["name"])
    where = profile_id + "." + name
    function = int(str(document.get("function", default)))
    if document.get("type") == "str":
        return _parse_text(document, where, function)
    if "unit" not in document or "places" not in document:
        refuse(where, "unit or places is missing")
    parts = list_of(document, "terms") or [document]
    terms = tuple([_parse_term(part, where) for part in parts])
    if any((term.kind == "bit") != (function in BIT_FUNCTIONS) for term in terms):
        refuse(where, "type bit goes with function 1 or 2, and only with them")
    covered = [(term.address, words.WIDTHS[term.kind]) for term in terms]
    exponent = _parse_exponent(document)
    if exponent is not None:
        covered.append((exponent[0], 1))
    address, span = _span_of(covered, where)
    only = terms[0] if len(terms) == 1 else Term(address, "terms", (1, 0))
    places = int(str(document["places"]))
    return Point(
        name,
        function,
        address,
        span,
        only.kind,
        only.scale,
        _decimal(document, "offset", "0", where),
        str(document["unit"]),
        places,
        str(document["class"]),
        bool(document.get("evidence", False)),
        terms,
        exponent,
        tuple(sorted(list_of(document, "sentinels"), key=lambda raw: (raw,))),
        _parse_rollover(document, places, where),
    )


def _parse_exponent(document: dict[str, object]) -> tuple[int, str] | None:
    register = document.get("scale_register")
    if not isinstance(register, dict):
        return None
    return int(register["address"]), str(register["type"])


def _parse_rollover(document: dict[str, object], places: int, where: str) -> int | None:
    if "rollover" not in document:
        return None
    modulus = _decimal(document, "rollover", "", where)
    if modulus[0] < 1 or modulus[1] > places:
        refuse(where, "rollover is above 0 and has no more places than the point")
    return fixed.rescale(modulus[0], modulus[1], places)
