"""The digests of the wire contract, computed from its text with msgpack and hashlib alone."""

import hashlib
import tomllib
from decimal import Decimal
from typing import Any

import msgpack

from edge.core.bus.profile import parse_profile
from edge.core.carbon.factors import parse_factors
from edge.ports.linux.files import FACTORS, PROFILES


def test_the_digest_of_a_factor_set_is_what_the_contract_says():
    document = tomllib.loads((FACTORS / "cn_park_910_2025.toml").read_text("utf-8"))
    rows = []
    for factor in sorted(document["factors"], key=lambda row: row["id"]):
        dimension = "energy" if factor["unit"] == "kg/kW.h" else "heat"
        rows.append([factor["id"], dimension, int(Decimal(factor["value"]) * 10**6)])
    digest = hashlib.sha256(msgpack.packb([document["id"], rows])).digest()
    assert {factor.set_digest for factor in parse_factors(document, "")} == {digest}


#: type -> registers it takes.
SPANS = {"u32": 2, "i32": 2, "f32": 2, "bcd32": 2, "u64": 4, "i64": 4, "f64": 4}


def test_the_digest_of_a_profile_is_what_the_contract_says():
    for path in sorted(PROFILES.glob("*.toml")):
        document = tomllib.loads(path.read_text("utf-8"))
        sentinels = document.get("sentinels", {})
        rows = [row for row in document["points"] if row["class"] != "identity"]
        points = [point_meaning(row, document["function"]) for row in rows]
        points.sort(key=lambda point: (point[1], point[2], point[0]))
        meaning = [document["id"], document["word_order"], document["byte_order"]]
        meaning += [[[kind, sorted(sentinels[kind])] for kind in sorted(sentinels)], points]
        digest = hashlib.sha256(msgpack.packb(meaning)).digest()
        assert parse_profile(document).digest == digest, path


def point_meaning(row: dict[str, Any], function: int) -> list[Any]:
    terms = [[t["address"], t["type"], _decimal(t["scale"])] for t in row.get("terms", [row])]
    ends = [address + SPANS.get(kind, 1) for address, kind, _ in terms]
    register = row.get("scale_register")
    exponent = [register["address"], register["type"]] if register else None
    starts = [term[0] for term in terms] + ([exponent[0]] if exponent else [])
    ends += [exponent[0] + 1] if exponent else []
    only = terms[0][1:] if len(terms) == 1 else ["terms", [1, 0]]
    rollover = row.get("rollover")
    return [
        row["name"],
        row.get("function", function),
        min(starts),
        max(ends) - min(starts),
        *only,
        _decimal(row.get("offset", "0")),
        row["unit"],
        row["places"],
        row["class"],
        row.get("evidence", False),
        terms,
        exponent,
        sorted(row.get("sentinels", [])),
        None if rollover is None else int(Decimal(rollover).scaleb(row["places"])),
    ]


def _decimal(text: str) -> list[int]:
    return [int(text.replace(".", "")), len(text.partition(".")[2])]
