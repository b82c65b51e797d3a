"""A tenant's gateways and the API itself in Prometheus' text format 0.0.4."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: name -> (help, key of a health object, whether it is milliseconds given as seconds)
_GATEWAY = {
    "silent_seconds": ("since the gateway was heard of", "silent_ms", True),
    "interval_end_timestamp_seconds": ("end of its newest interval", "interval_end_ms", True),
    "head_seq": ("highest record below which nothing is missing", "head_seq", False),
    "missing_records": ("records that have not arrived", "missing", False),
    "alarms": ("alarms that a person should look at", "alarms", False),
    "refusals": ("messages in quarantine", "refusals", False),
}


def write_metrics(health: list[dict[str, Any]], answers: Counter[int]) -> str:
    """The whole page."""
    return "\n".join([*_gateway_lines(health), *_answer_lines(answers)]) + "\n"


def _gateway_lines(health: list[dict[str, Any]]) -> Iterator[str]:
    yield "# HELP carbontally_cloud_gateway_online 1 online, 0 offline, absent when not known"
    yield "# TYPE carbontally_cloud_gateway_online gauge"
    for item in health:
        if item["state"] is not None:
            state = int(item["state"] == "online")
            yield f"carbontally_cloud_gateway_online{_label(item)} {state}"
    for name, (about, key, is_ms) in _GATEWAY.items():
        yield f"# HELP carbontally_cloud_gateway_{name} {about}"
        yield f"# TYPE carbontally_cloud_gateway_{name} gauge"
        for item in health:
            if item[key] is not None:
                value = _seconds(item[key]) if is_ms else item[key]
                yield f"carbontally_cloud_gateway_{name}{_label(item)} {value}"


def _answer_lines(answers: Counter[int]) -> Iterator[str]:
    yield "# HELP carbontally_api_answers_total answers since the start"
    yield "# TYPE carbontally_api_answers_total counter"
    for status, count in sorted(answers.items()):
        yield f'carbontally_api_answers_total{{status="{status}"}} {count}'


def _label(item: dict[str, Any]) -> str:
    name = item["gateway"].replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'{{gateway="{name}"}}'


def _seconds(value_ms: int) -> str:
    return f"{value_ms // 1000}.{value_ms % 1000:03d}"
