"""Checks of TOML tables: which keys, which values, and what to say when they are wrong."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from edge.core.errors import ConfigError


class Rule(NamedTuple):
    """What one key may hold; `expected` completes "expected ..."."""

    accepts: Callable[[Any], bool]
    expected: str
    required: bool = False


class Source(NamedTuple):
    """Where a table came from: the file, and the path of keys to the table ("" at the top)."""

    file: str
    path: str = ""

    def key(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def inside(self, name: str) -> "Source":
        return Source(self.file, self.key(name))

    def refuse(self, name: str, found: object, expected: str) -> ConfigError:
        """The error for a value of `name` that is not as expected."""
        shown = found if isinstance(found, (str, int, Decimal)) else type(found).__name__
        return ConfigError(
            "config.value", file=self.file, key=self.key(name), found=shown, expected=expected
        )

    def unknown(self, name: str, found: str, known: Iterable[str]) -> ConfigError:
        """The error for a reference `found` that names nothing in `known`."""
        return ConfigError(
            "config.reference",
            file=self.file,
            key=self.key(name),
            found=found,
            nearest=nearest(found, known),
        )

    def twice(self, name: str, found: object) -> ConfigError:
        """The error for a value that only one table may have."""
        return ConfigError("config.duplicate", file=self.file, key=self.key(name), found=found)


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that `word` was probably meant to be; the first one if none is close."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.0)
    return close[0] if close else "nothing"


def check_table(table: Mapping[str, Any], rules: Mapping[str, Rule], source: Source) -> None:
    """Raise ConfigError for the first unknown key, missing key or refused value of `table`."""
    for name in table:
        if name not in rules:
            raise ConfigError(
                "config.unknown_key",
                file=source.file,
                key=source.key(name),
                nearest=nearest(name, rules),
            )
    for name, rule in rules.items():
        if name not in table:
            if rule.required:
                raise ConfigError(
                    "config.missing_key",
                    file=source.file,
                    key=source.key(name),
                    expected=rule.expected,
                )
        elif not rule.accepts(table[name]):
            raise source.refuse(name, table[name], rule.expected)


def integer(low: int, high: int, required: bool = False) -> Rule:
    """A whole number low..high."""

    def accepts(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return Rule(accepts, f"a whole number from {low} to {high}", required)


def number(low: int, high: int) -> Rule:
    """A number low..high, decimals allowed."""

    def accepts(value: Any) -> bool:
        is_number = isinstance(value, (int, Decimal)) and not isinstance(value, bool)
        return is_number and low <= value <= high

    return Rule(accepts, f"a number from {low} to {high}")


def text(required: bool = False) -> Rule:
    """A string that is not empty."""
    return Rule(lambda value: isinstance(value, str) and value != "", "a text", required)


def choice(options: tuple[Any, ...], required: bool = False) -> Rule:
    """One of `options`."""
    expected = "one of " + ", ".join(str(option) for option in options)
    return Rule(
        lambda value: any(value == o and type(value) is type(o) for o in options),
        expected,
        required,
    )


def tables(required: bool = False) -> Rule:
    """A list of tables, as [[name]] makes it."""
    return Rule(
        lambda value: isinstance(value, list) and all(isinstance(row, dict) for row in value),
        "a list of tables",
        required,
    )


def table_of(accepts: Callable[[Any], bool], expected: str) -> Rule:
    """A table whose every value is accepted."""
    return Rule(
        lambda value: isinstance(value, dict) and all(accepts(entry) for entry in value.values()),
        expected,
    )
