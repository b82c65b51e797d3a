"""The tree of places: what each stream counts, added up along its path."""

from typing import NamedTuple

from cloud_sync.reports.figures import StreamFigures


class PlaceSum(NamedTuple):
    """A place with all that lies in it. depth: 0 for the outermost; allocated_mg: see `allocate`.

    cells: (scope 1 mg, scope 2 mg) for each part of the period; None where streams of the scope
    are there, and none has a figure.
    """

    path: str
    depth: int
    scope1_mg: int
    scope2_mg: int
    allocated_mg: int | None
    unknown: int
    cells: list[tuple[int | None, int | None]]


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
    by_scope = [[one for one in streams if one.definition.scope == scope] for scope in (1, 2)]
    scope1_mg, scope2_mg = (sum(f.total("emission_mg") for f in counted) for counted in by_scope)
    columns = [_by_part(counted, len(streams[0].cells)) for counted in by_scope]
    shares = [c.allocated_mg for f in streams for c in f.cells if c.allocated_mg is not None]
    return PlaceSum(
        path,
        path.count("/") + 1 if path else 0,
        scope1_mg,
        scope2_mg,
        sum(shares) if shares else None,
        sum(f.total("unknown") for f in streams if f.definition.scope),
        list(zip(*columns, strict=True)),
    )


def _by_part(streams: list[StreamFigures], parts: int) -> list[int | None]:
    """mg of each part; None where there are streams, and none has a figure."""
    if not streams:
        return [0] * parts
    columns = zip(*(figures.cells for figures in streams), strict=True)
    return [
        sum(cell.emission_mg for cell in cells)
        if any(cell.intervals > cell.unknown for cell in cells)
        else None
        for cells in columns
    ]
