"""Every query of the dashboards runs on a real PostgreSQL; what they show is in the views."""

import json
import re
from pathlib import Path

import psycopg
import pytest
from psycopg import postgres

import cloud_sync

from . import park

GRAFANA = Path(cloud_sync.__file__).parent / "grafana"
BOARDS = sorted(GRAFANA.glob("dashboards/*.json"))
VALUES = {"tenant": [park.TENANT], "gateway": ["gw-boiler", "gw-mill"], "basis": ["park_910"]}

#: Panels of a park without gaps and in time that have nothing to show.
EMPTY = ("Missing runs / 缺失区间",)


NUMBER = "a number"


def types(oid: int) -> str:
    """The name of a PostgreSQL type; all that Grafana plots are one."""
    name = postgres.types[oid].name
    return NUMBER if name in ("int2", "int4", "int8", "numeric", "float4", "float8") else name


def boards() -> list[dict]:
    return [json.loads(path.read_text("utf-8")) for path in BOARDS]


def filled(sql: str) -> str:
    """The query as Grafana sends it: macros and variables replaced."""

    def quoted(match: re.Match) -> str:
        return ",".join("'" + value.replace("'", "''") + "'" for value in VALUES[match[1]])

    sql = re.sub(r"\$\{(\w+):sqlstring\}", quoted, sql)
    end_ms = park.START_MS + park.DAYS * park.DAY_MS
    sql = sql.replace("$__unixEpochFrom()", str(park.START_MS // 1000))
    sql = sql.replace("$__unixEpochTo()", str(end_ms // 1000))
    assert "$" not in sql, "a variable that is not escaped, or unknown"
    return sql


def panels() -> list[tuple[str, dict]]:
    return [(board["uid"], panel) for board in boards() for panel in board["panels"]]


@pytest.mark.system
@pytest.mark.parametrize("board, panel", panels(), ids=lambda item: str(item)[:40])
def test_a_panel_shows_rows_of_the_shape_that_it_wants(url: str, board: str, panel: dict):
    (target,) = panel["targets"]
    with psycopg.connect(url) as db:
        cursor = db.execute(filled(target["rawSql"]).encode())
        rows = cursor.fetchall()
        columns = cursor.description or ()
    names = [column.name for column in columns]
    assert rows or panel["title"] in EMPTY
    if target["format"] == "time_series":
        # What Grafana makes series of: times in order, a name, one number.
        assert names[:2] == ["time", "metric"] and len(names) == 3
        assert [types(column.type_code) for column in columns] == ["timestamptz", "text", NUMBER]
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    if panel["type"] == "stat":
        assert len(rows) == len(names) == 1 and rows[0][0] is not None
        assert types(columns[0].type_code) == NUMBER


@pytest.mark.system
@pytest.mark.parametrize("board", boards(), ids=lambda board: board["uid"])
def test_a_variable_offers_what_there_is(url: str, board: dict):
    with psycopg.connect(url) as db:
        for variable in board["templating"]["list"]:
            rows = db.execute(filled(variable["query"]).encode()).fetchall()
            wanted = set(VALUES[variable["name"]])
            assert wanted <= {value for (value,) in rows}, variable["name"]


@pytest.mark.system
def test_the_sums_on_the_overview_are_those_of_the_views(url: str):
    (board,) = [board for board in boards() if board["uid"] == "carbontally-park"]
    by_title = {panel["title"]: panel["targets"][0]["rawSql"] for panel in board["panels"]}
    with psycopg.connect(url) as db:
        (shown,) = db.execute(filled(by_title["Scope 2 / 范围二"]).encode()).fetchone() or ()
        (wanted,) = (
            db.execute(
                b"SELECT sum(emission_mg) FROM v_streams WHERE tenant = 'wuxi' AND scope = 2"
                b" AND start_ms >= %d AND start_ms < %d"
                % (park.START_MS, park.START_MS + park.DAYS * park.DAY_MS)
            ).fetchone()
            or ()
        )
    assert float(shown) == pytest.approx(float(wanted) / 1e9)


def test_the_files_are_dashboards_with_room_for_every_panel_and_no_secret():
    assert len({board["uid"] for board in boards()}) == len(BOARDS) == 3
    for board in boards():
        # What Grafana needs of a file that it imports.
        assert board["schemaVersion"] >= 36 and board["title"] and len(board["uid"]) <= 40
        assert set(board["time"]) == {"from", "to"} and board.get("id") is None
        assert {one["type"] for one in board["templating"]["list"]} == {"query"}
        taken = set()
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        for panel in board["panels"]:
            place = panel["gridPos"]
            assert place["x"] + place["w"] <= 24
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, panel["title"]
            taken |= cells
            assert panel["datasource"]["uid"] == "carbontally"
            assert "tenant = ${tenant:sqlstring}" in panel["targets"][0]["rawSql"]
    source = (GRAFANA / "provisioning/datasources/carbontally.yaml").read_text()
    assert re.findall(r"password: (.*)", source) == ["${CARBONTALLY_PG_PASSWORD}"]
