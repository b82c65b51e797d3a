"""Check a parsed document against its JSON Schema and say the first fault in one line.

The schemas are ordinary JSON Schema 2020-12 files, published for editors; this module reads the
keywords that ours use: type, enum, properties, required, additionalProperties, items, minItems,
maxItems, minLength, minimum, maximum, pattern, and $ref to "#/$defs/name". A keyword it does not
know is a bug in the schema and raises KeyError, so that nothing is silently left unchecked.
"""

import re

from edge.core.errors import ConfigError

_ANNOTATIONS = ("$schema", "$id", "$defs", "title", "description", "default", "examples")


def check_document(document: object, schema: dict, file: str) -> None:
    """Raise ConfigError for the first fault; return None when `document` fits.

    file: its name for the error. Codes: config.unknown_key, config.missing_key, config.value.
    """
    _check(document, schema, schema, file, "")


def nearest(name: str, known: list[str]) -> str:
    """The known name closest to `name` by edit distance, or "" when none is near."""
    best = ""
    best_distance = max(3, len(name) // 2 + 1)
    for candidate in sorted(known, key=str):
        distance = _distance(name, candidate)
        if distance < best_distance:
            best, best_distance = candidate, distance
    return best


def _distance(left: str, right: str) -> int:
    row = list(range(len(right) + 1))
    for i, a in enumerate(left):
        diagonal, row[0] = row[0], i + 1
        for j, b in enumerate(right):
            cost = min(row[j + 1] + 1, row[j] + 1, diagonal + (a != b))
            diagonal, row[j + 1] = row[j + 1], cost
    return row[-1]


def _type_name(value: object) -> str:
    if value is True or value is False:
        return "boolean"
    for name, kind in (
        ("integer", int),
        ("string", str),
        ("array", list),
        ("object", dict),
    ):
        if isinstance(value, kind):
            return name
    return "other"


def _show(value: object) -> str:
    if isinstance(value, str):
        return '"' + value + '"'
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "an array of %d" % len(value)
    return str(value)


def _fault(file: str, key: str, found: object, expected: str) -> None:
    raise ConfigError("config.value", file=file, key=key, found=_show(found), expected=expected)


def _check(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    for keyword in schema:
        if keyword not in _ANNOTATIONS:
            _KEYWORDS[keyword](value, schema, root, file, key)


def _ref(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    name = schema["$ref"].split("/")[-1]
    _check(value, root["$defs"][name], root, file, key)


def _type(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    if _type_name(value) != schema["type"]:
        article = "an " if schema["type"][0] in "aio" else "a "
        _fault(file, key, value, article + schema["type"])


def _enum(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    # True equals 1 and 9600.0 equals 9600: only the type tells them from a choice.
    if value in schema["enum"] and _type_name(value) in ("integer", "string"):
        return
    choices = [str(choice) for choice in schema["enum"]]
    expected = "one of " + ", ".join(choices)
    guess = nearest(value, choices) if isinstance(value, str) else ""
    if guess:
        expected += "; did you mean " + guess + "?"
    _fault(file, key, value, expected)


def _range(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    low, high = schema.get("minimum"), schema.get("maximum")
    if not isinstance(value, int):
        return
    if (low is not None and value < low) or (high is not None and value > high):
        limits = [text for text in (low, high) if text is not None]
        words = "%d to %d" % tuple(limits) if len(limits) == 2 else "at least %d" % limits[0]
        _fault(file, key, value, words)


def _pattern(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    if isinstance(value, str) and not re.match(schema["pattern"], value):
        _fault(file, key, value, "text like " + schema["pattern"])


def _length(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    low = schema.get("minLength", schema.get("minItems", 0))
    high = schema.get("maxItems")
    if isinstance(value, (str, list)):
        if len(value) < low or (high is not None and len(value) > high):
            words = "at least %d" % low if high is None else "%d to %d" % (low, high)
            _fault(file, key, value, "a length of " + words)


def _items(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    if isinstance(value, list):
        for index, item in enumerate(value):
            _check(item, schema["items"], root, file, "%s[%d]" % (key, index))


def _path(key: str, name: str) -> str:
    return key + "." + name if key else name


def _required(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    if not isinstance(value, dict):
        return
    # An unknown key is most often a required one misspelt: say that first.
    if schema.get("additionalProperties") is False:
        _additional(value, schema, root, file, key)
    for name in schema["required"]:
        if name not in value:
            wanted = schema.get("properties", {}).get(name, {})
            if "$ref" in wanted:
                wanted = root["$defs"][wanted["$ref"].split("/")[-1]]
            expected = wanted.get("description") or wanted.get("type") or "a value"
            raise ConfigError(
                "config.missing_key", file=file, key=_path(key, name), expected=expected
            )


def _properties(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    if isinstance(value, dict):
        for name in schema["properties"]:
            if name in value:
                _check(value[name], schema["properties"][name], root, file, _path(key, name))


def _additional(value: object, schema: dict, root: dict, file: str, key: str) -> None:
    if not isinstance(value, dict):
        return
    known = schema.get("properties", {})
    for name in sorted(value, key=str):
        if name in known:
            continue
        if schema["additionalProperties"] is not False:
            _check(value[name], schema["additionalProperties"], root, file, _path(key, name))
            continue
        guess = nearest(name, list(known)) or "one of " + ", ".join(sorted(known, key=str))
        raise ConfigError("config.unknown_key", file=file, key=_path(key, name), nearest=guess)


_KEYWORDS = {
    "$ref": _ref,
    "type": _type,
    "enum": _enum,
    "minimum": _range,
    "maximum": _range,
    "pattern": _pattern,
    "minLength": _length,
    "minItems": _length,
    "maxItems": _length,
    "items": _items,
    "required": _required,
    "properties": _properties,
    "additionalProperties": _additional,
}
