"""Fields as JSON text, the same text for the same fields."""

import json


def as_json(fields: dict[str, object]) -> str:
    """Fields as a JSON object, keys sorted, bytes as hexadecimal text."""
    return json.dumps(fields, sort_keys=True, ensure_ascii=False, default=_plain)


def _plain(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
