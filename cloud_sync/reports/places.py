"""The tree of places: what each stream counts, added up along its path."""

from typing import NamedTuple

from cloud_sync.reports.figures import StreamFigures


class PlaceSum(NamedTuple):
    """A place with all that lies in it. depth: 0 for the outermost; allocated_mg: see `allocate`.

    cells: (scope 1 mg, scope 2 mg) for each part of the period.
    """

    path: str
    depth: int
    scope1_mg: int
    scope2_mg: int
    allocated_mg: int | None
    unknown: int
    cells: list[tuple[int, int]]


def sum_places(streams: list[StreamFigures]) -> list[PlaceSum]:
    """Every place that a stream names and those around it, by path; "" is the whole park."""
    inside: dict[str, list[StreamFigures]] = {"": list(streams)}
    for figures in streams:
        path = ""
        for name in (figures.definition.place or "").split("/"):
            if name:
                path = f"{path}/{name}" if path else name
                inside.setdefault(path, []).append(figures)
    return [_sum(path, inside[path]) for path in sorted(inside)]


def _sum(path: str, streams: list[StreamFigures]) -> PlaceSum:
    by_scope = {1: 0, 2: 0}
    cells = [[0, 0] for _ in streams[0].cells]
    for figures in streams:
        scope = figures.definition.scope
        if scope in by_scope:
            by_scope[scope] += figures.total("emission_mg")
            for sums, cell in zip(cells, figures.cells, strict=True):
                sums[scope - 1] += cell.emission_mg
    shares = [c.allocated_mg for f in streams for c in f.cells if c.allocated_mg is not None]
    return PlaceSum(
        path,
        path.count("/") + 1 if path else 0,
        by_scope[1],
        by_scope[2],
        sum(shares) if shares else None,
        sum(f.total("unknown") for f in streams if f.definition.scope),
        [(first, second) for first, second in cells],
    )
