"""The boundary of the account: everything inside once, nothing twice.

Meters form a tree (`within`: what flows through this meter has flowed through that one before),
places form another (device, line, floor, building, enterprise, park). A stream that emits counts
its own meter with weight 1; a virtual meter counts its summands with theirs. Along every line from
a meter up to the root the weights may add up to 1 at most.
"""

from collections import namedtuple

from edge.core.carbon.streams import KINDS
from edge.core.errors import ConfigError
from edge.core.schema import nearest

#: A stream as the check sees it. source: what names its register or stack, "" for a virtual meter;
#: within: name of the stream whose meter has seen the same flow, or ""; summands: (stream name,
#: numerator, denominator) of a virtual meter, the sign of the numerator that of the summand.
Node = namedtuple("Node", ("name", "kind", "source", "within", "summands"))

#: Levels of a place, the outermost first.
LEVELS = ("park", "enterprise", "building", "floor", "line", "device")

#: A place: level of LEVELS; within: name of the place around it, or "".
Place = namedtuple("Place", ("name", "level", "within"))


def place_paths(places: list[Place], file: str) -> dict[str, str]:
    """Place name -> path from the outermost place, like "park/mill/hall-2".

    Raises ConfigError: config.duplicate, config.reference, config.value for a place that lies in
    one of the same or a lower level.
    """
    paths: dict[str, str] = {}
    levels: dict[str, int] = {}
    for index, place in enumerate(places):
        if place.name in paths:
            raise ConfigError("config.duplicate", file=file, key="place.name", found=place.name)
        level = LEVELS.index(place.level)
        path = place.name
        if place.within:
            key = "place[%d].within" % index
            if place.within not in paths:
                _unknown(file, key, place.within, list(paths))
            if level <= levels[place.within]:
                raise ConfigError(
                    "config.value",
                    file=file,
                    key=key,
                    found=place.within,
                    expected="a place that is larger than a " + place.level,
                )
            path = paths[place.within] + "/" + place.name
        paths[place.name] = path
        levels[place.name] = level
    return paths


def _unknown(file: str, key: str, found: str, known: list[str]) -> None:
    guess = nearest(found, known) or "one of " + (", ".join(known) or "none")
    raise ConfigError("config.reference", file=file, key=key, found=found, nearest=guess)


def flatten(nodes: list[Node], file: str) -> dict[str, list[tuple[str, int, int]]]:
    """Stream name -> (name of a stream with a meter, numerator, denominator) of what it sums.

    Raises ConfigError: config.reference for a summand that is not there or stands further down,
    config.double_count for one that a virtual meter takes twice.
    """
    flat: dict[str, list[tuple[str, int, int]]] = {}
    for index, node in enumerate(nodes):
        if not node.summands:
            flat[node.name] = [(node.name, 1, 1)]
            continue
        sums: list[tuple[str, int, int]] = []
        for name, up, down in node.summands:
            if name not in flat:
                _unknown(file, "stream[%d]" % index, name, list(flat))
            for part, part_up, part_down in flat[name]:
                if part in [item[0] for item in sums]:
                    _twice(file, node.name, part)
                sums.append((part, part_up * up, part_down * down))
        flat[node.name] = sums
    return flat


def check_boundary(nodes: list[Node], file: str) -> None:
    """Refuse what counts twice.

    Raises ConfigError: config.double_count with both names, config.share when the shares of one
    meter add up to more than 1, config.reference, config.value for a circle of `within`.
    """
    flat = flatten(nodes, file)
    metered = [node for node in nodes if not node.summands]
    by_name = {node.name: node for node in nodes}
    counted: dict[str, list[tuple[str, int, int]]] = {node.name: [] for node in metered}
    for node in nodes:
        if node.within and not node.summands and node.within not in counted:
            _unknown(file, node.name + ".within", node.within, list(counted))
        if node.summands:
            _check_summands(node, flat[node.name], by_name, file)
        if KINDS[node.kind].emission:
            for part, up, down in flat[node.name]:
                counted[part].append((node.name, up, down))
    by_source: dict[str, str] = {}
    for node in metered:
        line = _line(node, by_name, file)
        claims = [claim for name in line for claim in counted[name]]
        _check_claims(claims, node, by_name, file)
        if KINDS[node.kind].emission:
            if node.source in by_source:
                _twice(file, node.name, by_source[node.source])
            by_source[node.source] = node.name


def _line(node: Node, by_name: dict[str, Node], file: str) -> list[str]:
    """The meter and those around it, innermost first."""
    line = [node.name]
    while by_name[line[-1]].within:
        outer = by_name[line[-1]].within
        if outer in line:
            raise ConfigError(
                "config.value",
                file=file,
                key=node.name + ".within",
                found=outer,
                expected="a meter that is not within this one",
            )
        line.append(outer)
    return line


def _check_summands(
    node: Node, parts: list[tuple[str, int, int]], by_name: dict[str, Node], file: str
) -> None:
    """A sum takes no meter together with one that lies within it."""
    added = [name for name, up, _ in parts if up > 0]
    for name in added:
        for outer in _line(by_name[name], by_name, file)[1:]:
            if outer in added:
                _twice(file, node.name + " (" + name + ")", outer)


def _check_claims(
    claims: list[tuple[str, int, int]], node: Node, by_name: dict[str, Node], file: str
) -> None:
    """The weights along one line add up to 1 at most."""
    numerator, denominator = 0, 1
    for _, up, down in claims:
        numerator = numerator * down + up * denominator
        denominator = denominator * down
    if numerator <= denominator:
        return
    names: list[str] = []
    for name, up, _ in claims:
        if up > 0 and name not in names:
            names.append(name)
    if len(names) < 2 or all(by_name[name].summands for name in names):
        raise ConfigError("config.share", file=file, found=", ".join(names), key=node.name)
    _twice(file, names[0], names[1])


def _twice(file: str, one: str, other: str) -> None:
    raise ConfigError("config.double_count", file=file, key=one, found=other)
