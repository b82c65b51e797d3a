# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""What the host calls: runs a program as the firmware does."""

import io
import sys


def run(name):
    """Run a file of the device as its firmware does; return the traceback that ended it, or ""."""
    try:
        with open(name) as file:
            text = file.read()
    except OSError:
        return ""
    try:
        exec(compile(text, name, "exec"), {"__name__": "__main__"})
    except BaseException as error:
        said = io.StringIO()
        sys.print_exception(error, said)
        return said.getvalue()
    return ""
