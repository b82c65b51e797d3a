"""Whether a serial port could be opened, without opening it: that would disturb who uses it."""

import os
import stat
from pathlib import Path


def why_unusable(port: str) -> str | None:
    """Why this user cannot use `port`; None when nothing speaks against it."""
    try:
        mode = Path(port).stat().st_mode
    except OSError as error:
        return (error.strerror or str(error)).lower()
    if not stat.S_ISCHR(mode):
        return "not a serial port"
    if not os.access(port, os.R_OK | os.W_OK):
        return "no permission"
    return None
