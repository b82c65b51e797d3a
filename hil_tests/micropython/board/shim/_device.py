# mypy: ignore-errors
# ruff: noqa: F403, I001, N801, PTH123, RET503, UP
"""What the host calls: makes the interpreter look like the board, then runs a program."""

import io
import sys

import _host


#: Freed at once, for an exception when the heap is full: one that finds no room hangs the build.
_reserve = io.BytesIO(1024)


class _Gc:
    """The gc module, but collect() collects at once, not when the program ends."""

    def __init__(self, builtin):
        self._builtin = builtin

    def __getattr__(self, name):
        return getattr(self._builtin, name)

    def collect(self):
        _host.collect()


def prepare():
    import gc

    sys.modules["gc"] = _Gc(gc)


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
        _reserve.close()
        said = io.StringIO()
        sys.print_exception(error, said)
        return said.getvalue()
    return ""
