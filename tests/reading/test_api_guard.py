"""Rates, connections, token file and the refusals of `serve` and `tokens`."""

import json
import stat
import threading
from http.client import IncompleteRead
from pathlib import Path

import jsonschema
import pytest

from cloud_sync.api import guard
from cloud_sync.api.formats import CSV, JSON, NDJSON, choose
from cloud_sync.api.tokens import Gate, add_token, read_tokens
from cloud_sync.reading.database import SqliteReading
from edge.__main__ import main
from edge.core.errors import ConfigError, StoreError, UsageError
from edge.core.errors.table import TABLE

from .serving import SPAN, Server, serve_here


def test_a_rate_lets_a_burst_through_and_then_one_by_one():
    rates = guard.Rates(3, 60)
    for _ in range(3):
        rates.take("a", 100.0)
    with pytest.raises(UsageError, match="api.rate"):
        rates.take("a", 100.5)
    rates.take("b", 100.5)
    rates.take("a", 101.5)
    with pytest.raises(UsageError):
        rates.take("a", 101.6)


@pytest.mark.parametrize(
    "accept, kind",
    [
        ("", JSON),
        ("*/*", JSON),
        ("text/csv", CSV),
        ("text/*;q=0.5, application/x-ndjson;q=0.6", NDJSON),
        ("application/json;q=0, */*", NDJSON),
        ("TEXT/CSV; q=1.0, application/json;q=0.9", CSV),
    ],
)
def test_the_best_liked_format_is_chosen(accept: str, kind: str):
    assert choose(accept) == kind


def test_the_token_file_holds_no_token_and_is_private(tmp_path: Path):
    file = tmp_path / "tokens.json"
    token, text = add_token(file, "wuxi", "grafana", 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert text not in file.read_text() and text.split("_", 2)[2] not in file.read_text()
    gate = Gate(file)
    assert gate.find(text, token.created_s) == token
    assert gate.find(text, token.expires_s) is None, "it has ended"
    assert gate.find(text + "x", 0) is None
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="config.secret"):
        read_tokens(file)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2, "tokens": []}', '{"tokens": 1}'])
def test_a_file_that_is_none_is_refused(tmp_path: Path, text: str):
    file = tmp_path / "tokens.json"
    file.write_text(text)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="config.file"):
        read_tokens(file)


def test_the_verb_makes_lists_and_revokes(tmp_path: Path, capsys: pytest.CaptureFixture):
    file = str(tmp_path / "tokens.json")
    add = ["tokens", "add", "--file", file, "--tenant", "wuxi", "--name", "bi", "--json"]
    assert main(add) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["token"].startswith("ct_" + made["id"])
    assert main(["tokens", "list", "--file", file]) == 0
    listed = capsys.readouterr().out
    assert made["id"] in listed and made["token"] not in listed
    assert main(["tokens", "revoke", made["id"], "--file", file]) == 0
    assert read_tokens(Path(file)) == []
    assert main(["tokens", "revoke", made["id"], "--file", file]) == 2
    assert main(["tokens", "add", "--file", file, "--name", "x"]) == 2
    assert main(["tokens", "burn", "--file", file]) == 2


def test_serve_refuses_plain_text_to_the_network_and_what_it_cannot_read(
    cloud: Path, tmp_path: Path, capsys: pytest.CaptureFixture
):
    file = tmp_path / "tokens.json"
    url = f"sqlite:///{cloud}"
    assert main(["serve", "--store", url, "--tokens", str(file)]) == 78
    add_token(file, "wuxi", "test", 0)
    assert main(["serve", "--store", url, "--tokens", str(file), "--host", "0.0.0.0"]) == 78
    assert "api.plain" in capsys.readouterr().err
    missing = f"sqlite:///{tmp_path / 'none.db'}"
    assert main(["serve", "--store", missing, "--tokens", str(file)]) == 74
    assert main(["serve", "--store", "mysql://u:secret@h/d", "--tokens", str(file)]) == 2
    assert "secret" not in capsys.readouterr().err


@pytest.fixture
def served(cloud: Path, tmp_path: Path):
    with serve_here(f"sqlite:///{cloud}", tmp_path) as running:
        yield running


def test_a_database_that_fails_is_a_problem_without_its_words(served: Server, monkeypatch):
    def fail(self, sql: str, **values: object):
        raise StoreError("cloud.read", file="/srv/secret.db", reason="disk I/O error")
        yield

    monkeypatch.setattr(SqliteReading, "stream", fail)
    for path, accept, query in (("/v1/gateways", "", {}), ("/v1/streams", "text/csv", SPAN)):
        answer = served.get(path, accept=accept, **query)
        assert answer.status == 503 and answer.json()["code"] == "cloud.read"
        assert b"secret" not in answer.body
    monkeypatch.undo()
    assert served.get("/v1/gateways").status == 200, "and it goes on"


def test_a_damaged_database_is_called_that_and_not_named(served: Server, monkeypatch):
    def fail(self, sql: str, **values: object):
        raise StoreError("cloud.damaged", file="/srv/secret.db", reason="malformed")
        yield

    monkeypatch.setattr(SqliteReading, "stream", fail)
    for language, title in (("en", "the database is damaged"), ("zh", "数据库已损坏")):
        answer = served.get("/v1/gateways", language=language)
        problem = answer.json()
        assert (answer.status, problem["code"], problem["title"]) == (500, "cloud.damaged", title)
        assert problem["fields"] == {} and b"secret" not in answer.body


def test_a_stream_that_fails_on_the_way_does_not_look_whole(served: Server, monkeypatch):
    whole = SqliteReading.stream

    def fail(self, sql: str, **values: object):
        for number, row in enumerate(whole(self, sql, **values)):
            if number == 1_200:
                raise StoreError("cloud.read", file="f", reason="gone")
            yield row

    monkeypatch.setattr(SqliteReading, "stream", fail)
    with pytest.raises(IncompleteRead):
        served.get("/v1/streams", accept="text/csv", **SPAN)


def test_connections_are_bounded_and_come_back(cloud: Path, monkeypatch):
    monkeypatch.setattr(guard, "_WAIT_S", 0.01)
    pool = guard.Pool(f"sqlite:///{cloud}", most=2)
    first, second = pool.take(), pool.take()
    with pytest.raises(UsageError, match="api.busy"):
        pool.take()
    waiting = threading.Timer(0, pool.give, (first, False))
    waiting.start()
    waiting.join()
    third = pool.take()
    assert third is not first
    pool.give(third, True)
    pool.give(second, True)
    pool.close()


def test_too_many_requests_are_told_when_to_come_again(served: Server, monkeypatch):
    def full(self, name: str, now_s: float) -> None:
        raise UsageError("api.rate", per_minute=600)

    monkeypatch.setattr(guard.Rates, "take", full)
    answer = served.get("/v1/gateways")
    assert answer.status == 429 and int(answer.headers["retry-after"]) > 0


def test_every_kind_of_refusal_is_a_problem_as_the_document_has_it(served: Server, monkeypatch):
    """RFC 9457 from every path: FastAPI's own refusals, ours, and those of a bug."""
    document = served.get("/openapi.json", tenant="").json()
    schema = {**document["components"]["schemas"]["Problem"]}

    def refusal(status: int, path: str, **more) -> None:
        answer = served.get(path, **more)
        assert answer.status == status, answer.body
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        jsonschema.validate(problem, schema)
        assert problem["status"] == status and problem["title"] and problem["detail"]
        assert problem["code"] in TABLE
        assert served.get(problem["type"]).status == 200, "its type leads to its text"
        for name, value in guard.HEADERS.items():
            assert answer.headers[name] == value
        seen.add(status)

    seen: set[int] = set()
    refusal(401, "/v1/gateways", tenant="")
    refusal(404, "/v1/nothing")
    refusal(404, "/v1/gateways/")
    refusal(404, "/v1/problems/no.code")
    refusal(404, "/v1/gateways/gw-mill/intervals/0000000000000000/5/streams/gas")
    refusal(405, "/v1/gateways", method="POST")
    refusal(405, "/v1/streams", method="DELETE", **SPAN)
    refusal(406, "/v1/streams", accept="image/png", **SPAN)
    refusal(422, "/v1/completeness")
    refusal(422, "/v1/streams", **SPAN, limit="many")
    refusal(422, "/v1/gateways/gw-mill/intervals/xyz/5/streams/gas")
    refusal(422, "/v1/gateways/gw-mill/intervals/0000000000000000/-1/streams/gas")
    for raised, status in (
        (UsageError("api.rate", per_minute=600), 429),
        (StoreError("cloud.read", file="f", reason="r"), 503),
        (ZeroDivisionError("division by zero"), 500),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(guard.Pool, "take", raising(raised))
            refusal(status, "/v1/gateways", accept="application/json")
    assert {str(status) for status in seen} < set(
        document["paths"]["/v1/gateways"]["get"]["responses"]
    )
    said = served.get("/v1/nothing", language="zh-CN").json()
    assert said["title"] == "没有 /v1/nothing"
    assert b'status="500"} 1' in served.get("/metrics").body


def raising(error: Exception):
    def fail(*_: object) -> None:
        raise error

    return fail
