"""Two readings compared: the time between them, and the plain ratio between their registers."""

#: A step by p/q is looked for up to this q, between registers that resolve one part in this many.
_RATIO_MAX = 12
_RATIO_PARTS = 10_000


def elapsed_between(
    since: tuple[int, int, int | None], now: tuple[int, int, int | None]
) -> int | None:
    """Time between two moments (boot, mono_ms, wall_ms); None across boots without a clock."""
    if since[0] == now[0]:
        return now[1] - since[1]
    if since[2] is None or now[2] is None or now[2] < since[2]:
        return None
    return now[2] - since[2]


def ratio_of(new: int, old: int) -> tuple[int, int] | None:
    """(p, q) when new is close to old x p/q, as after a change of transformer ratio."""
    if min(new, old) < _RATIO_PARTS:
        return None
    for q in range(1, _RATIO_MAX + 1):
        for up, down, is_up in ((new, old, True), (old, new, False)):
            p = (up * q + down // 2) // down
            near = abs(up * q - down * p) * _RATIO_PARTS <= down * q
            if p > q and near:
                return (p, q) if is_up else (q, p)
    return None
