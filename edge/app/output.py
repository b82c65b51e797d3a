"""Standard output that has nobody at its other end any more, or no room.

A gateway measures on without it; a command that was to print ends, plainly.
"""

import errno
import os
import sys

from edge.core.errors import UsageError


def let_go() -> None:
    """Nothing more arrives at standard output: what is in its buffer must not fail at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def file_error(error: OSError, path: object) -> UsageError:
    """A failure at a file: the one that it names, or `path`."""
    file = path if error.filename is None else error.filename
    return UsageError("usage.file", file=str(file), reason=error.strerror or str(error))


def output_error(error: OSError) -> UsageError | None:
    """What a failure says that nobody caught, of a file or of standard output; else None."""
    if error.filename is not None:
        return file_error(error, error.filename)
    if error.errno not in (errno.ENOSPC, errno.EIO):
        return None
    return UsageError("usage.output", reason=error.strerror)


class Lines:
    """Lines on standard output for as long as somebody takes them."""

    def __init__(self, are_wanted: bool) -> None:
        self.are_wanted = are_wanted

    def say(self, text: str) -> None:
        """Print one line; a first failure is told on standard error and ends the lines."""
        if not self.are_wanted:
            return
        try:
            print(text, flush=True)
        except OSError as error:
            self.are_wanted = False
            let_go()
            print(f"standard output ends ({error.strerror}): measuring goes on", file=sys.stderr)
