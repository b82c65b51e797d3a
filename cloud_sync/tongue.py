"""The language of whoever runs a command of the cloud's side."""

import os

from edge.core.errors import TallyError
from edge.core.errors.table import describe

_NAMES = ("CARBONTALLY_LANG", "LC_ALL", "LC_MESSAGES", "LANG")


def language() -> str:
    """ "zh" when the environment asks for Chinese, else "en": the first variable that is set."""
    wanted = next((os.environ[name] for name in _NAMES if os.environ.get(name)), "")
    return "zh" if wanted.lower().startswith("zh") else "en"


def told(error: TallyError) -> tuple[str, str]:
    """(what happened, what to do next)."""
    return describe(error, language())


def as_lines(error: TallyError) -> str:
    """The two lines that every command says of an error."""
    happened, following = told(error)
    following = f"{'下一步：' if language() == 'zh' else 'next: '}{following}"
    return f"error[{error.code}]: {happened}\n{following}"
