"""What `main.py` runs on an ESP32: the gateway of `edge.app` in a loop, and what keeps it alive.

How a start comes to it is in `edge.app.starting`, which is in memory only meanwhile.
"""

import gc

from edge.app.program import Program, fail, take_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.app.starting import Made

#: A start counts as good after this.
GOOD_MS = 60_000

#: Garbage after which the heap is cleared. In a heap of which no more is free than SMALL_BYTES it
#: is cleared often, so that batches and segments find room in one piece; most of all while a start
#: makes what stays, which is to lie side by side. PSRAM has room, and is slow.
GARBAGE_BYTES = 16_384
SMALL_BYTES = 131_072
SMALL_GARBAGE_BYTES = 4_096
START_GARBAGE_BYTES = 512

START_DEPTH = 4
MAKE_DEPTH = 6


def run(program: str) -> None:
    """Start, and go on until something ends it; then say what, and begin anew.

    program: names this build of the program; the configuration has to be for it.
    """
    is_small = gc.mem_free() < SMALL_BYTES  # type: ignore[attr-defined]
    if is_small:
        gc.threshold(START_GARBAGE_BYTES)  # type: ignore[attr-defined]
    begun = _start(program, START_DEPTH)
    if begun is None:
        return
    gc.threshold(SMALL_GARBAGE_BYTES if is_small else GARBAGE_BYTES)  # type: ignore[attr-defined]
    try:
        _loop(begun)
    except Exception as error:  # whatever it is: tell it, and begin anew
        fail(begun.board, error)


def _start(program: str, depth: int) -> Program | None:
    """Start so many calls deep: what is left on the stack would be taken for something in use.

    The loop's own frames lie there for ever, with gaps that nothing overwrites.
    """
    if depth:
        return _start(program, depth - 1)
    made = _made(program, MAKE_DEPTH)
    if made is None:
        return None
    try:
        take_up(*made)
    except Exception as error:
        fail(made[0].board, error)
        return None
    return made[0]


def _made(program: str, depth: int) -> "Made | None":
    """Deeper than what takes up the journal, for the same reason."""
    if depth:
        return _made(program, depth - 1)
    from edge.app.starting import make

    return make(program)


def _loop(begun: Program) -> None:
    board = begun.board
    is_good = False
    while True:
        rest_ms = begun.step()
        if not is_good and board.clock.mono_ms() >= GOOD_MS:
            is_good = True
            board.vault.note("crashes", b"\0")
            board.vault.note("why", b"")
        board.sleep(rest_ms)
