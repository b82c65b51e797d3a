"""Whether a serial port could be opened, without opening it: that would disturb who uses it."""

import grp
import os
import stat
from pathlib import Path


def why_unusable(port: str) -> str | None:
    """Why this user cannot use `port`; None when nothing speaks against it."""
    try:
        found = Path(port).stat()
    except OSError as error:
        return (error.strerror or str(error)).lower()
    mode, group = found.st_mode, found.st_gid
    if not stat.S_ISCHR(mode):
        return "not a serial port"
    if not os.access(port, os.R_OK | os.W_OK):
        return f"no permission, its group is {_group_name(group)}"
    return None


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
