"""Where profiles and SunSpec models are found, by name or by file."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from edge.core.errors import ConfigError, UsageError
from edge.core.schema import check_document, nearest
from edge.ports.linux.files import PROFILES, parse_toml, read_bytes

SUNSPEC = PROFILES / "sunspec"


class Source(NamedTuple):
    """One file as it was parsed; what its schema says against it is in `fault`."""

    name: str
    path: Path
    document: dict[str, Any]
    fault: ConfigError | None

    @property
    def is_sunspec(self) -> bool:
        """A SunSpec model: offsets in place of addresses, no device behind it."""
        return "model" in self.document and isinstance(self.document["model"], int)

    @property
    def profile_document(self) -> dict[str, Any]:
        """What `parse_profile` takes: a SunSpec model as a device whose chain begins at 0."""
        if not self.is_sunspec:
            return self.document
        return {"function": 3, "max_block_registers": 125, "label_base": 0, **self.document}


def read_source(path: Path) -> Source:
    """The file at `path`; ConfigError "config.file" or "config.syntax" when it is no TOML."""
    document = parse_toml(read_bytes(path), str(path))
    source = Source(str(document.get("id", path.stem)), path, document, None)
    schema = SUNSPEC / "sunspec.schema.json" if source.is_sunspec else None
    schema = schema or PROFILES / "profile.schema.json"
    try:
        check_document(document, json.loads(schema.read_text("utf-8")), str(path))
    except ConfigError as fault:
        return source._replace(fault=fault)
    return source


def read_all(with_sunspec: bool = False) -> list[Source]:
    """Everything that ships, by name."""
    paths = sorted(PROFILES.glob("*.toml"))
    if with_sunspec:
        paths += sorted(SUNSPEC.glob("*.toml"))
    return [read_source(path) for path in paths]


def find(name: str) -> Source:
    """The profile called `name`, or in the file `name` if it ends in .toml.

    Raises UsageError "usage.value" with the nearest name.
    """
    if name.endswith(".toml"):
        return read_source(Path(name))
    paths = {path.stem: path for path in sorted(PROFILES.glob("*.toml"))}
    paths |= {f"sunspec_{path.stem[6:]}": path for path in sorted(SUNSPEC.glob("*.toml"))}
    if name not in paths:
        expected = nearest(name, list(paths)) or "a name that carbontally profiles list shows"
        if "/" in name:
            expected = "a file that ends in .toml, or " + expected
        raise UsageError("usage.value", option="NAME", found=name, expected=expected)
    return read_source(paths[name])
