"""The published factor sets that ship, found by the digest that a record carries."""

import tomllib
from functools import cached_property
from importlib.resources import files
from typing import Any, NamedTuple

from edge.core.carbon.factors import FactorSet, parse_set


class Published(NamedTuple):
    """A set as its file says it, and as it is computed with."""

    document: dict[str, Any]
    parsed: FactorSet


class FactorSets:
    """All sets by digest; read once, when the first one is asked for."""

    @cached_property
    def _by_digest(self) -> dict[str, Published]:
        found = {}
        for file in files("edge.factors").iterdir():
            if file.name.endswith(".toml"):
                document = tomllib.loads(file.read_text("utf-8"))
                parsed = parse_set(document, file.name)
                found[parsed.digest.hex()] = Published(document, parsed)
        return found

    def find(self, digest: str) -> Published | None:
        """The set of a digest; None for one that does not ship: a site's own, or overridden."""
        return self._by_digest.get(digest)

    def by_id(self, name: str) -> Published:
        """A set by its id; KeyError for none."""
        for published in self._by_digest.values():
            if published.parsed.id == name:
                return published
        raise KeyError(name)

    def tell(self, factor: str, digest: str) -> dict[str, Any] | None:
        """What a figure says of its factor: value, document, publisher, year; None without one."""
        if not factor:
            return None
        told: dict[str, Any] = {"id": factor, "set_digest": digest, "set": None}
        published = self.find(digest)
        if published is None:
            return told
        document = published.document
        rows = [*document.get("factors", []), *document.get("fuels", [])]
        row: dict[str, Any] = next((row for row in rows if row["id"] == factor), {})
        told |= {key: document[key] for key in ("document", "publisher")}
        told["set"] = document["id"]
        told["data_year"] = row.get("data_year", document.get("data_year"))
        for key in ("name", "value", "unit", "ncv", "carbon", "oxidation_percent", "per", "note"):
            if key in row:
                told[key] = row[key]
        return told
