"""Parquet files hold what the store holds, exactly; a day is replaced as a whole or not at all."""

import json
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from cloud_sync.export import parquet
from cloud_sync.export.tables import READING, TABLES
from cloud_sync.keys import Keys
from cloud_sync.receiver import Receiver
from cloud_sync.store.sqlite import SqliteStore
from edge.__main__ import main
from edge.core.journal.record import Kind
from tests.contract.test_views_of_both import unit_of
from tests.unit.receiver_journal import GATEWAY, KEY, NOW_MS, TENANT, TOPIC, Journal
from tests.unit.source_tree import ROOT

from . import park, revised


def export(cloud: Path, to: Path, *options: str) -> int:
    return main(["export", "--store", f"sqlite:///{cloud}", "--to", str(to), *options])


def stored(cloud: Path, table) -> list[str]:
    columns = ", ".join(f'"{name}"' for name in table.columns)
    with closing(sqlite3.connect(cloud)) as db:
        rows = db.execute(f"SELECT {columns} FROM {table.view}").fetchall()
    kinds = table.columns.values()
    return sorted(repr(typed(row, kinds)) for row in rows)


def typed(row, kinds) -> tuple:
    """Decimals without what their text had of zeros at the end."""
    return tuple(
        Decimal(value).normalize() if kind.startswith("DECIMAL") and value is not None else value
        for value, kind in zip(row, kinds, strict=True)
    )


@pytest.fixture(scope="module")
def folder(cloud: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("parquet")
    assert export(cloud, to) == 0
    return to


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_another_reader_finds_every_row_with_exact_types(cloud: Path, folder: Path, table):
    files = sorted(folder.glob(f"{table.name}/day=*/*.parquet"))
    days = ("2026-11-19", "2026-11-20", "2026-11-21")
    if table.name == "results":
        days = (datetime.fromtimestamp(revised.MADE_MS / 1000, UTC).date().isoformat(),)
    assert [file.parent.name for file in files] == [f"day={day}" for day in days]
    found = []
    for file in files:
        read = pq.ParquetFile(file).read()
        assert read.column_names == list(table.columns)
        for name, kind in table.columns.items():
            wanted = f"decimal128({kind[8:-1].replace(',', ', ')})" if "DEC" in kind else None
            assert wanted in (None, str(read.schema.field(name).type)), name
        found += [typed(row.values(), table.columns.values()) for row in read.to_pylist()]
    assert sorted(map(repr, found)) == stored(cloud, table) and found


def test_duckdb_reads_the_folder_as_one_table_with_days(cloud: Path, folder: Path):
    with duckdb.connect() as duck:
        found = duck.execute(
            "SELECT day::VARCHAR, sum(emission_mg) FROM"
            f" read_parquet('{folder}/emissions/*/*.parquet', hive_partitioning=true)"
            " GROUP BY day ORDER BY day"
        ).fetchall()
    with closing(sqlite3.connect(cloud)) as db:
        wanted = db.execute(
            "SELECT substr(start, 1, 10), sum(emission_mg) FROM v_emissions GROUP BY 1 ORDER BY 1"
        ).fetchall()
    assert found == wanted


def test_duckdb_finds_what_a_result_changed(cloud: Path, folder: Path):
    """Against the store's own tables: electricity at two thirds, all else as recorded."""
    with duckdb.connect() as duck:
        read = f"read_parquet('{folder}/result_emissions/*/*.parquet', hive_partitioning=true)"
        found = duck.execute(
            "SELECT r.day::VARCHAR, r.gateway, r.seq, r.stream, r.basis, r.emission_mg,"
            f" r.recorded_mg, e.emission_mg FROM {read} r LEFT JOIN"
            f" read_parquet('{folder}/emissions/*/*.parquet') e"
            " USING (tenant, gateway, epoch, seq, stream, basis) ORDER BY ALL"
        ).fetchall()
        sets = duck.execute(
            f"SELECT DISTINCT s.result, s.factor_set FROM {read} r JOIN"
            f" read_parquet('{folder}/results/*/*.parquet') s"
            " USING (tenant, gateway, epoch, result)"
        ).fetchall()
    with closing(sqlite3.connect(cloud)) as db:
        wanted = db.execute(
            "SELECT date(i.start_ms / 1000, 'unixepoch'), g.gateway, e.seq, s.name,"
            " e.emission_mg FROM result_emissions e JOIN results n ON n.id = e.result"
            " JOIN intervals i ON i.journal = e.journal AND i.seq = e.seq"
            " JOIN streams s ON s.journal = e.journal AND s.number = e.stream"
            " JOIN journals j ON j.id = e.journal JOIN gateways g ON g.id = j.gateway"
        ).fetchall()
    assert sorted(map(repr, wanted)) == sorted(
        repr((day, gateway, seq, stream, mg)) for day, gateway, seq, stream, _, mg, _, _ in found
    )
    assert all(recorded == exported for *_, recorded, exported in found)
    ratios = {round(3 * mg / old) for *_, mg, old, _ in found if old and old > 1_000_000}
    assert ratios == {2, 3} and sets == [(revised.NAME, "cn_park_910_2025")]


def test_each_column_is_told_with_its_unit():
    told = {}
    for line in (ROOT / "docs" / "reading.md").read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 4 and cells[1].endswith("_ms`"):
            told[cells[0].strip("`")] = (cells[1].strip("`"), cells[3])
    owner = ("tenant", "gateway", "epoch", "seq")
    assert list(told) == [table.name for table in TABLES]
    for table in TABLES:
        time, text = told[table.name]
        names = re.findall(r"`(\w+)`", text.replace("in `unit`", ""))
        assert time == table.time and sorted({*names}) == sorted({*table.columns} - {*owner})
        for part in text.split("; "):
            (end,) = {end for name in re.findall(r"`(\w+)`", part) for end in [unit_of(name)]}
            assert end.replace("milliseconds", "Unix milliseconds") in part, part


def test_a_day_again_is_the_same_file_and_a_day_without_rows_goes(
    cloud: Path, tmp_path: Path, capsys
):
    to = tmp_path / "out"
    day = ("--from", "2026-11-20", "--until", "2026-11-20", "--json")
    assert export(cloud, to, *day) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["table"] for row in told] == [table.name for table in TABLES]
    before = {path: path.read_bytes() for path in to.rglob("*.parquet")}
    assert len(before) == len(TABLES) - 1 == len(list(to.rglob("*.*"))), "no result was made"
    assert export(cloud, to, *day) == 0
    assert {path: path.read_bytes() for path in to.rglob("*.parquet")} == before
    assert export(cloud, to, *day, "--tenant", "nobody") == 2
    assert {path: path.read_bytes() for path in to.rglob("*.parquet")} == before
    SqliteStore(tmp_path / "empty.db").close()
    assert export(tmp_path / "empty.db", to, *day) == 0
    assert list(to.rglob("*.parquet")) == []


def test_a_tenant_alone_is_exported_alone(cloud: Path, tmp_path: Path):
    assert export(cloud, tmp_path, "--tenant", park.OTHER, "--from", "2026-11-20") == 0
    read = pq.ParquetFile(next(tmp_path.glob("readings/day=2026-11-20/*.parquet"))).read()
    assert set(read.column("tenant").to_pylist()) == {park.OTHER}


def test_a_file_that_does_not_hold_what_was_read_never_takes_its_place(
    cloud: Path, tmp_path: Path, monkeypatch, capsys
):
    day = ("--from", "2026-11-20", "--until", "2026-11-20")
    assert export(cloud, tmp_path, *day) == 0
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    whole = parquet._cell
    monkeypatch.setattr(
        parquet, "_cell", lambda value: whole("bad") if value == "good" else whole(value)
    )
    assert export(cloud, tmp_path, *day) == 74
    assert "error[cloud.export]" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file()} == before


@pytest.mark.parametrize(
    "value, unit",
    [
        ("9223372036854775807", "W.h"),
        ("-9.223372036854775808", 'quote " and , comma'),
        ("0.000000000000000001", ""),
        (None, "line\nbreak \\N 无锡"),
        ("-0.10", "NULL"),
    ],
)
def test_the_largest_the_finest_and_odd_texts_survive(tmp_path: Path, value, unit):
    table = TABLES[0]
    row = {name: 1 if kind == "BIGINT" else "x" for name, kind in table.columns.items()}
    row |= {"value": value, "unit": unit}

    class One:
        def stream(self, sql: str, **values: object):
            yield tuple(row.values())

    writer = parquet.Writer(tmp_path)
    written = writer.write(One(), table, park.START_MS, "")
    writer.close()
    read = pq.ParquetFile(written.path).read().to_pylist()
    assert table.columns["value"] == READING and len(read) == 1
    assert read[0]["value"] == (None if value is None else Decimal(value))
    assert read[0]["unit"] == unit


@pytest.mark.parametrize(
    "options", [["--from", "20.11.2026"], ["--from", "2026-11-21", "--until", "2026-11-20"]]
)
def test_what_is_no_day_is_refused(cloud: Path, tmp_path: Path, options: list[str]):
    assert export(cloud, tmp_path, *options) == 2


def test_a_folder_that_cannot_be_made_is_told(cloud: Path, tmp_path: Path, capsys):
    (tmp_path / "file").write_text("")
    assert export(cloud, tmp_path / "file" / "out") == 74
    assert "error[cloud.file]" in capsys.readouterr().err


def test_clocks_that_were_wrong_cost_a_file_each_and_no_years_between(tmp_path: Path, capsys):
    """Times of 1970, of 2026, of the year 5138, and of one that no calendar has."""
    journal = Journal()
    for start_ms in (5, NOW_MS, 100_000_000_000_000, -5, 1 << 61, -(1 << 62)):
        journal.append(Kind.INTERVAL, [start_ms, start_ms + 1, [], [None] * 5], start_ms)
    store = SqliteStore(tmp_path / "cloud.db")
    keys = Keys({(TENANT, GATEWAY): KEY})
    Receiver(store, keys, lambda: NOW_MS).receive(TOPIC, journal.batch(0, 5))
    store.close()
    assert export(tmp_path / "cloud.db", tmp_path / "out", "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    days = [(one["day"], one["rows"]) for one in told if one["table"] == "intervals"]
    today = datetime.fromtimestamp(NOW_MS / 1000, UTC).date().isoformat()
    assert days == [("1969-12-31", 1), ("1970-01-01", 1), (today, 1), ("5138-11-16", 1)]
