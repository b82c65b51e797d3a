"""The API's explanation of a figure is the one that `carbontally explain` gives."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.__main__ import main

from . import park
from .serving import SPAN, Server, serve_here


@pytest.fixture(scope="module")
def server(cloud: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve_here(f"sqlite:///{cloud}", tmp_path_factory.mktemp("api")) as running:
        yield running


def path_of(row: dict) -> str:
    where = f"{row['epoch']}/{row['seq']}/streams/{row['stream']}"
    return f"/v1/gateways/{row['gateway']}/intervals/{where}"


@pytest.mark.parametrize("stream", ["grid_import", "gas", "steam", "stack", "line1", "pv"])
def test_it_says_what_the_command_says(server, cloud: Path, capsys, stream: str):
    rows = server.get("/v1/streams", **SPAN, stream=stream, limit=3).json()["items"]
    for row in rows:
        told = server.get(path_of(row)).json()
        arguments = ["explain", "--store", f"sqlite:///{cloud}", "--stream", stream, "--json"]
        arguments += ["--gateway", f"{park.TENANT}/{row['gateway']}"]
        assert main([*arguments, "--interval", str(row["seq"])]) == 0
        said = json.loads(capsys.readouterr().out)
        assert told["same"] is True and said["same"] is True
        names = ("record", "record_hash", "kind", "scope", "method", "unit", "readings", "polls")
        assert {name: told[name] for name in names} == {name: said[name] for name in names}
        assert told["activity"] == str(said["activity"]) == row["activity"]
        for mine, other in zip(told["products"], said["products"], strict=True):
            assert mine["factor"] == (
                {**other["factor"], **mine["factor"]} if mine["factor"] else None
            )
            for name in ("basis", "mg_per_count", "sign", "rounding"):
                assert mine[name] == other[name]
            for name in ("start_mg", "end_mg", "emission_mg", "recorded_mg"):
                assert mine[name] == str(other[name])


def test_what_is_not_there_or_of_another_tenant_is_not_found(server):
    (row,) = server.get("/v1/streams", **SPAN, stream="gas", limit=1).json()["items"]
    assert server.get(path_of(row)).status == 200
    for wrong in (
        {"seq": 10**9},
        {"seq": row["seq"] + 1},
        {"stream": "none"},
        {"epoch": "0" * 16},
    ):
        answer = server.get(path_of({**row, **wrong}))
        assert (answer.status, answer.json()["code"]) == (404, "api.not_found")
    assert server.get(path_of({**row, "epoch": "x"})).status == 422
    assert server.get(path_of({**row, "seq": -1})).status == 422
    assert server.get(path_of(row), tenant="ct_0_0").status == 401


def test_the_other_tenant_has_no_way_to_it(cloud: Path, tmp_path: Path):
    with serve_here(f"sqlite:///{cloud}", tmp_path, park.OTHER) as server:
        (row,) = server.get("/v1/streams", park.OTHER, **SPAN, limit=1).json()["items"]
        assert server.get(path_of(row), park.OTHER).status == 200
        row |= {"gateway": "gw-boiler", "stream": "stack"}
        assert server.get(path_of(row), park.OTHER).status == 404
