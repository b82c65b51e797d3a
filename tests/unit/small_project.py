"""A small project that stands for ours beside a copy of `run`: pip needs no network for it."""

import json

PYPROJECT = """
[build-system]
requires = []
build-backend = "tiny_backend"
backend-path = ["."]
[project]
name = "tiny"
version = "1"
[tool.mypy]
packages = ["edge"]
"""
EXTRAS = ("demo", "test", "device", "flash", "api", "report", "export", "postgres")
#: An editable wheel made by hand, so that pip needs no index to install it.
BACKEND = '''
"""Builds the one editable wheel the test installs."""

import zipfile
from pathlib import Path

EXTRAS = %EXTRAS%
INFO = "tiny-1.dist-info/"
FILES = {
    "tiny.pth": str(Path.cwd()),
    INFO + "METADATA": "Metadata-Version: 2.1\\nName: tiny\\nVersion: 1\\n"
    + "".join(f"Provides-Extra: {extra}\\n" for extra in EXTRAS),
    INFO + "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    INFO + "entry_points.txt": "[console_scripts]\\ncarbontally = edge.__main__:main\\n",
}


def build_editable(folder, settings=None, metadata=None):  # type: ignore[no-untyped-def]
    name = "tiny-1-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
        wheel.writestr(INFO + "RECORD", "")
    return name
'''.replace("%EXTRAS%", json.dumps(EXTRAS))
MAIN = '''
"""Says how it was called."""

import sys
from pathlib import Path


def main() -> int:
    """Print the arguments and the directory."""
    print(sys.argv[1:], Path.cwd())
    return 3
'''
#: Stands for what fetches a server: it can't where a file says so.
PACKAGES = '''
"""Fails where it is told to."""

import sys
from pathlib import Path

if Path("no-mirror").exists():
    sys.exit("apt knows no mirror of Debian")
'''
