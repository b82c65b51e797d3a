"""The HTTP API over loopback: exact rows, whole ranges, one tenant a token, plain refusals."""

import base64
import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import jsonschema
import pytest
from openapi_spec_validator import validate

from cloud_sync.api.guard import HEADERS
from cloud_sync.api.resources import EXACT, RESOURCES
from cloud_sync.api.tokens import revoke_token
from edge.core.errors.table import TABLE

from . import park
from .serving import SPAN, Server, serve

NAMES = [resource.name for resource in RESOURCES]
NEEDED = {"readings": {"gateway": "gw-mill"}}


@pytest.fixture(scope="module")
def server(cloud: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(f"sqlite:///{cloud}", tmp_path_factory.mktemp("api")) as running:
        yield running


def stored(cloud: Path, sql: str, *values: object) -> list[tuple]:
    with closing(sqlite3.connect(cloud)) as db:
        return db.execute(sql, values).fetchall()


def refusal(answer, status: int, code: str) -> dict:
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"] == f"/v1/problems/{code}" and problem["title"]
    return problem


@pytest.mark.parametrize("name", NAMES)
def test_pages_bring_every_row_once_in_order_and_equal_to_the_view(server, cloud: Path, name: str):
    resource = next(item for item in RESOURCES if item.name == name)
    query = {**SPAN, **NEEDED.get(name, {}), "limit": 293}
    found, after = [], {}
    while True:
        page = server.get(f"/v1/{name}", **query, **after).json()
        assert len(page["items"]) <= query["limit"]
        found += page["items"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    where = " AND gateway = 'gw-mill'" if name in NEEDED else ""
    columns = ", ".join(f'"{column}"' for column in resource.columns)
    rows = stored(
        cloud,
        f"SELECT {columns} FROM {resource.view} WHERE tenant = ? AND {resource.time} >= ?"
        f" AND {resource.time} < ?{where}",
        *(park.TENANT, park.START_MS, park.START_MS + 2 * park.DAY_MS),
    )
    assert len(found) == len(rows) > 0
    keys = [[item[column] for column in resource.key] for item in found]
    assert keys == sorted(keys)
    exact = [name for name, kind in resource.columns.items() if kind == EXACT]
    assert all(isinstance(item[c], str | None) for item in found for c in exact)
    assert sorted(map(repr, map(tuple, (item.values() for item in found)))) == sorted(
        repr(
            tuple(
                str(v) if c in exact and v is not None else v
                for c, v in zip(resource.columns, row, strict=True)
            )
        )
        for row in rows
    )


@pytest.mark.parametrize("name", NAMES)
def test_csv_and_ndjson_say_what_the_pages_say(server, name: str):
    query = {**SPAN, **NEEDED.get(name, {})}
    page = server.get(f"/v1/{name}", **query, limit=10_000).json()
    assert page["next"] is None
    lines = server.get(f"/v1/{name}", accept="application/x-ndjson", **query)
    assert [json.loads(line) for line in lines.body.splitlines()] == page["items"]
    table = server.get(f"/v1/{name}", accept="text/csv;q=0.9, image/png", **query)
    assert table.headers["content-type"].startswith("text/csv")
    rows = list(csv.DictReader(io.StringIO(table.body.decode())))
    said = [{k: "" if v is None else str(v) for k, v in item.items()} for item in page["items"]]
    assert rows == said


def test_the_document_is_openapi_3_1_and_the_answers_are_what_it_says(server):
    document = server.get("/openapi.json", tenant="").json()
    assert document["openapi"].startswith("3.1")
    validate(document)
    for path, query in (
        *((f"/v1/{name}", {**SPAN, **NEEDED.get(name, {}), "limit": 50}) for name in NAMES),
        ("/v1/gateways", {}),
        ("/v1/health", {}),
        ("/v1/results", {}),
        ("/v1/completeness", SPAN),
    ):
        answer = server.get(path, **query)
        assert answer.status == 200, answer.body
        content = document["paths"][path]["get"]["responses"]["200"]["content"]
        schema = {**content["application/json"]["schema"], "components": document["components"]}
        jsonschema.validate(answer.json(), schema)


def test_a_token_sees_its_tenant_alone(server):
    span = {**SPAN, "from": "2026-11-19T00:00:00Z"}
    for path, query in (
        *((f"/v1/{name}", {**span, **NEEDED.get(name, {}), "limit": 10_000}) for name in NAMES),
        ("/v1/gateways", {}),
        ("/v1/health", {}),
        ("/v1/results", {}),
        ("/v1/completeness", span),
    ):
        own = server.get(path, tenant=park.TENANT, **query).json()["items"]
        other = server.get(path, tenant=park.OTHER, **query).json()["items"]
        assert own and other, path
        assert not {json.dumps(row) for row in own} & {json.dumps(row) for row in other}
        assert {row["gateway"] for row in other} == {"gw-mill"}
    hidden = server.get("/v1/streams", tenant=park.OTHER, gateway="gw-boiler", **SPAN)
    assert hidden.json() == {"items": [], "next": None}
    assert b"gw-boiler" not in server.get("/metrics", tenant=park.OTHER).body


@pytest.mark.parametrize("token", ["", "x", "ct_00000000_x", "ct_", "ct_\u00e9"])
def test_without_a_valid_token_there_is_nothing(server, token: str):
    for path in ("/v1/gateways", "/v1/streams", "/metrics"):
        answer = server.get(path, tenant=token.encode().decode("latin-1"))
        refusal(answer, 401, "api.token")
        assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_with_one_wrong_letter_is_none_and_a_revoked_one_at_once(server):
    text = server.tokens[park.OTHER]
    refusal(server.get("/v1/gateways", tenant=text[:-1] + "~"), 401, "api.token")
    assert server.get("/v1/gateways", tenant=text).status == 200
    revoke_token(server.file, text.split("_")[1])
    refusal(server.get("/v1/gateways", tenant=text), 401, "api.token")
    assert server.get("/v1/gateways").status == 200


def cursor(text: str) -> str:
    """A cursor of streams in which one text is this."""
    key = json.dumps([1, text, "epoch", 1, "stream"])
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "path, query, code",
    [
        ("/v1/readings", SPAN, "api.query"),
        ("/v1/streams", {**SPAN, "from": "2026-11-20"}, "api.query"),
        ("/v1/streams", {**SPAN, "to": SPAN["from"]}, "api.query"),
        (
            "/v1/completeness",
            {"from": "0001-01-01T00:00:00+08:00", "to": "0001-01-03T00:00:00Z"},
            "api.query",
        ),
        (
            "/v1/completeness",
            {"from": "9999-12-30T00:00:00Z", "to": "9999-12-31T23:59:59Z"},
            "api.query",
        ),
        ("/v1/streams", {**SPAN, "to": "2028-11-20T00:00:00Z"}, "api.query"),
        ("/v1/streams", {**SPAN, "limit": "10001"}, "api.query"),
        ("/v1/streams", {**SPAN, "after": "AAAA"}, "api.query"),
        ("/v1/streams", {**SPAN, "after": "WzEsMl0"}, "api.query"),
        ("/v1/streams", {**SPAN, "after": cursor("\ud800")}, "api.query"),
        ("/v1/streams", {**SPAN, "after": cursor("\0")}, "api.query"),
        ("/v1/streams", {**SPAN, "gateway": "gw\0"}, "api.query"),
        ("/v1/readings", {**SPAN, "gateway": "gw\0"}, "api.query"),
        ("/v1/streams", {**SPAN, "colour": "red"}, "api.query"),
        ("/v1/completeness", {**SPAN, "zone": "../etc/passwd"}, "api.query"),
        ("/v1/completeness", {**SPAN, "zone": "Moon/Crater"}, "api.query"),
        ("/v1/nothing", {}, "api.not_found"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_problem(server, path: str, query: dict, code: str):
    refusal(server.get(path, **query), 404 if code == "api.not_found" else 422, code)


def test_an_unknown_format_is_not_acceptable_and_texts_come_in_two_languages(server):
    refusal(server.get("/v1/streams", accept="image/png", **SPAN), 406, "api.accept")
    text = server.get("/v1/problems/api.accept", tenant="").body.decode()
    assert TABLE["api.accept"][1] in text and TABLE["api.accept"][2] in text


def test_every_answer_has_the_security_headers(server):
    for answer in (
        server.get("/v1/gateways"),
        server.get("/v1/gateways", tenant=""),
        server.get("/x"),
    ):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert answer.headers["server"] is None


def test_health_completeness_and_metrics_say_what_the_records_say(server, cloud: Path):
    health = {item["gateway"]: item for item in server.get("/v1/health").json()["items"]}
    assert health["gw-mill"]["refusals"] == 1 and health["gw-mill"]["missing"] == 0
    rows = server.get("/v1/completeness", **SPAN, gateway="gw-boiler").json()["items"]
    days = {(row["stream"], row["day"]): row for row in rows}
    assert sorted({day for _, day in days}) == ["2026-11-20", "2026-11-21"]
    whole = days["steam", "2026-11-20"]
    assert (whole["intervals"], whole["covered_ms"], whole["good"]) == (96, park.DAY_MS, 192)
    silent = days["sold", "2026-11-21"]
    assert silent["good"] == silent["expected"] - 8, "the station was silent for an hour"
    page = server.get("/metrics").body.decode()
    assert 'carbontally_cloud_gateway_refusals{gateway="gw-mill"} 1' in page
    assert 'carbontally_api_answers_total{status="200"}' in page
