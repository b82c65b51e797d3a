"""The same batches in a real PostgreSQL give the same answers to the same statements."""

import json
from pathlib import Path

import pytest

from cloud_sync.reading.database import open_reading
from edge.__main__ import main
from edge.core.errors import StoreError

from . import park
from .serving import SPAN, serve_here

pytestmark = pytest.mark.system


def test_a_report_is_the_same_from_both(cloud: Path, url: str, capsys: pytest.CaptureFixture):
    documents = []
    for store in (f"sqlite:///{cloud}", url):
        arguments = ["report", "--store", store, "--tenant", park.TENANT, "--of", "2026-11"]
        assert main([*arguments, "--basis", "national", "--json"]) == 0
        documents.append(json.loads(capsys.readouterr().out))
        documents[-1].pop("made")
    assert documents[0] == documents[1]


def test_the_api_answers_the_same_from_both(cloud: Path, url: str, tmp_path: Path):
    answers = []
    for name, store in (("sqlite", f"sqlite:///{cloud}"), ("postgres", url)):
        folder = tmp_path / name
        folder.mkdir()
        with serve_here(store, folder) as server:
            found = {
                path: server.get(path, **query).json()
                for path, query in (
                    ("/v1/gateways", {}),
                    ("/v1/completeness", SPAN),
                    ("/v1/intervals", {**SPAN, "limit": 50}),
                    ("/v1/streams", {**SPAN, "limit": 500}),
                    ("/v1/emissions", {**SPAN, "limit": 500}),
                    ("/v1/readings", {**SPAN, "gateway": "gw-mill", "limit": 500}),
                    ("/v1/events", SPAN),
                )
            }
            after = {"after": found["/v1/streams"]["next"], "limit": 500}
            found["second page"] = server.get("/v1/streams", **SPAN, **after).json()
            found["csv"] = server.get("/v1/streams", accept="text/csv", **SPAN).body.decode()
            health = server.get("/v1/health").json()["items"]
            found["health"] = [{k: v for k, v in h.items() if k != "silent_ms"} for h in health]
        answers.append(found)
    assert answers[0] == answers[1]


@pytest.mark.parametrize(
    "path, query",
    [
        ("/v1/streams", {**SPAN, "gateway": "\0"}),
        ("/v1/streams", {**SPAN, "stream": "a\0b"}),
        ("/v1/completeness", {**SPAN, "gateway": "\0"}),
        ("/v1/gateways/%00/intervals/0000000000000000/5/streams/gas", {}),
        ("/v1/gateways/gw-mill/intervals/0000000000000000/5/streams/%00", {}),
    ],
)
def test_a_text_that_a_database_cannot_take_is_the_asker_s_fault(
    url: str, tmp_path: Path, path: str, query: dict
):
    with serve_here(url, tmp_path) as server:
        answer = server.get(path, **query)
        assert (answer.status, answer.json()["code"]) == (422, "api.query")
        assert server.get("/v1/gateways").status == 200


def test_an_export_is_the_same_from_both(cloud: Path, url: str, tmp_path: Path):
    files = []
    for name, store in (("sqlite", f"sqlite:///{cloud}"), ("postgres", url)):
        to = tmp_path / name
        assert main(["export", "--store", store, "--to", str(to), "--from", "2026-11-20"]) == 0
        paths = sorted(to.rglob("*.parquet"))
        files.append([(str(path.relative_to(to)), path.read_bytes()) for path in paths])
    assert files[0] == files[1] and len(files[0]) > 4


def test_it_is_only_read_and_failures_name_no_password(url: str):
    database = open_reading(url)
    with pytest.raises(StoreError, match="cloud.read"):
        database.rows("CREATE TABLE t (a int)")
    assert database.rows("SELECT count(*) FROM v_gateways WHERE tenant = :t", t=park.TENANT) == [
        (2,)
    ]
    assert database.rows("SELECT :a::bigint, '100 %'", a=1) == [(1, "100 %")]
    database.close()
    with pytest.raises(StoreError, match="cloud.unavailable") as caught:
        open_reading("postgresql://reader:secret@/nothing?host=/nowhere")
    assert "secret" not in str(caught.value.fields)
