"""A bug put in on purpose, from outside and in the simulation only."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

Patch = Callable[["Patches"], None]


class Patches:
    """Attributes that are replaced for the life of a mutant."""

    def __init__(self) -> None:
        self._undo: list[tuple[Any, str, Any]] = []

    def set(self, owner: Any, name: str, value: Any) -> Any:
        """Replace `owner.name`; return what was there."""
        before = getattr(owner, name)
        self._undo.append((owner, name, before))
        setattr(owner, name, value)
        return before

    def undo(self) -> None:
        """Put everything back."""
        while self._undo:
            owner, name, before = self._undo.pop()
            setattr(owner, name, before)


class Mutant(NamedTuple):
    """One bug. text: what it breaks; kinds: the faults it meets; hours: virtual, as few as show
    it; seed: of a world in which it shows.
    """

    name: str
    text: str
    kinds: tuple[str, ...]
    hours: int
    seed: int
    patch: Patch


@contextmanager
def applied(mutant: Mutant) -> Iterator[None]:
    """The code is that of the mutant within the block."""
    patches = Patches()
    try:
        mutant.patch(patches)
        yield
    finally:
        patches.undo()
