"""Reports against the tables, another arithmetic, and what was done to the store."""

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import pytest

from cloud_sync.reports.indicators import meets
from cloud_sync.reports.labels import LABELS
from cloud_sync.reports.render import percent, place_rows, tonnes
from edge.__main__ import main

from . import park

CHINA = timezone(timedelta(hours=8))


def report(cloud: Path, capsys: pytest.CaptureFixture, of: str, *options: str) -> dict:
    arguments = ["report", "--store", f"sqlite:///{cloud}", "--tenant", park.TENANT, "--of", of]
    assert main([*arguments, "--json", *options]) == 0
    return json.loads(capsys.readouterr().out)


def stored(cloud: Path) -> dict[tuple[str, str], list[tuple]]:
    """(gateway, stream) -> (start_ms, activity, emission_mg) from the tables, not from a view."""
    sql = """
        SELECT g.gateway, s.name, i.start_ms, t.activity, t.emission_mg
        FROM interval_streams t
        JOIN intervals i ON i.journal = t.journal AND i.seq = t.seq
        JOIN streams s ON s.journal = t.journal AND s.number = t.stream
        JOIN journals j ON j.id = t.journal JOIN gateways g ON g.id = j.gateway
        WHERE g.tenant = ? ORDER BY i.start_ms"""
    found: dict[tuple[str, str], list[tuple]] = {}
    with closing(sqlite3.connect(cloud)) as db:
        for gateway, stream, *row in db.execute(sql, (park.TENANT,)):
            found.setdefault((gateway, stream), []).append(tuple(row))
    return found


def test_parts_sum_to_the_intervals_exactly_by_days_of_the_park(cloud: Path, capsys):
    rows = stored(cloud)
    named = {"2026": slice(0, 7), "2026-11": slice(0, 10), "2026-11-20": slice(11, 16)}
    for of, part in named.items():
        document = report(cloud, capsys, of)
        assert len(document["streams"]) == len(rows)
        for stream in document["streams"]:
            wanted: dict[str, list[int]] = {}
            for start_ms, activity, emission_mg in rows[stream["gateway"], stream["stream"]]:
                name = datetime.fromtimestamp(start_ms / 1000, CHINA).isoformat()
                if name.startswith(of):
                    hour = f"{name[:13]}:00"
                    sums = wanted.setdefault(hour[part], [0, 0])
                    sums[0] += activity
                    sums[1] += emission_mg
            told = [cell["explanation"] for cell in stream["cells"] if cell["explanation"]]
            assert {x["period"]: [x["activity"], x["emission_mg"]] for x in told} == wanted
            assert stream["emission_mg"] == sum(sums[1] for sums in wanted.values())
    assert document["streams"][0]["intervals"] == 96


def test_an_explanation_comes_out_by_another_arithmetic(cloud: Path, capsys):
    """Counts as they are printed, times the factor as it was published, with decimals."""
    document = report(cloud, capsys, "2026-11-20")
    month = report(cloud, capsys, "2026-11")
    per_count = {"grid_import": "832500", "steam": "110000000", "gas": None}
    carbon = Fraction("389.31") * Fraction("15.3") * Fraction("0.99") * Fraction(44, 12)
    seen = 0
    for stream in [*document["streams"], *month["streams"]]:
        if stream["stream"] not in per_count:
            continue
        factor = per_count[stream["stream"]]
        # GJ/10^4 m3 x kgC/GJ is kg per 10^4 m3, so 100 mg for each of its mg per m3.
        rate = Fraction(factor) if factor else carbon * 100
        for cell in stream["cells"]:
            if cell["explanation"] is None:
                continue
            (run,) = cell["explanation"]["runs"]
            end, start = (Fraction(run[at]["count"]) for at in ("end", "start"))
            made = round(end * rate) - round(start * rate) + (run["first_mg"] or 0)
            assert made == cell["explanation"]["emission_mg"]
            assert run["factor"]["document"] and run["factor"]["set"]
            seen += 1
    assert seen > 70


def test_a_day_without_an_interval_has_no_figure_rather_than_none_emitted(cloud: Path, capsys):
    document = report(cloud, capsys, "2026-11")
    whole = next(place for place in document["places"] if not place["path"])
    for scope in (1, 2):
        counted = [s for s in document["streams"] if s["scope"] == scope]
        there = [any(s["cells"][at]["explanation"] for s in counted) for at in range(30)]
        told = [cell[scope - 1] for cell in whole["cells"]]
        assert [mg is not None for mg in told] == there and 0 < sum(there) < 30
        assert sum(mg or 0 for mg in told) == whole[f"scope{scope}_mg"]
    rows = {row[1]: row[2:] for row in place_rows(document) if not row[0]}
    assert rows["2026-11-01"] == [None, None] and None not in rows["2026-11-20"]


def test_places_method_and_cards_add_up(cloud: Path, capsys):
    document = report(cloud, capsys, "2026-11")
    by_name = {s["stream"]: s for s in document["streams"]}
    places = {place["path"]: place for place in document["places"]}
    both = document["scope1_mg"] + document["scope2_mg"]
    assert places[""]["scope1_mg"] + places[""]["scope2_mg"] == both
    assert places["park/mill"]["scope2_mg"] == by_name["grid_import"]["emission_mg"]
    assert places["park/mill/hall-1"]["scope1_mg"] == by_name["gas"]["emission_mg"]
    method = document["method"]
    heat = by_name["steam"]["emission_mg"] + by_name["sold"]["emission_mg"]
    assert by_name["sold"]["emission_mg"] < 0 and method["terms"]["heat"]["mg"] == heat
    assert method["park_mg"] == heat + sum(
        by_name[name]["emission_mg"] for name in ("gas", "grid_import", "grid_export", "pv")
    )
    assert method["outside_mg"] == by_name["stack"]["emission_mg"] > 0, "beside the sum"
    assert method["foreign"] == []
    assert not any(
        cell["explanation"] and not cell["explanation"]["same"]
        for stream in document["streams"]
        for cell in stream["cells"]
    )


def test_another_basis_changes_electricity_alone_and_is_not_the_method(cloud: Path, capsys):
    main_one = {s["stream"]: s for s in report(cloud, capsys, "2026-11")["streams"]}
    document = report(cloud, capsys, "2026-11", "--basis", "national")
    differing = [
        s["stream"]
        for s in document["streams"]
        if s["emission_mg"] != main_one[s["stream"]]["emission_mg"]
    ]
    assert differing == ["grid_import"]
    with closing(sqlite3.connect(cloud)) as db:
        (wanted,) = db.execute(
            "SELECT sum(emission_mg) FROM v_emissions WHERE tenant = ? AND basis = 'national'",
            (park.TENANT,),
        ).fetchone()
    got = {s["stream"]: s["emission_mg"] for s in document["streams"]}
    assert got["grid_import"] + got["grid_export"] + got["pv"] == wanted
    foreign = [("gw-mill", "grid_import", "mee_electricity_2023")]
    assert [tuple(row) for row in document["method"]["foreign"]] == foreign


def test_indicators_come_out_of_the_printed_definitions(cloud: Path, capsys):
    document = report(cloud, capsys, "2026-11")
    rows = stored(cloud)
    total = {name: sum(row[1] for row in rows["gw-mill", name]) for name in ("grid_import", "pv")}
    export = rows["gw-mill", "grid_export"]
    sold = sum(row[1] for row in export)
    own = sum(max(0, p[1] - e[1]) for p, e in zip(rows["gw-mill", "pv"], export, strict=True))
    heat = sum(r[1] for r in rows["gw-boiler", "steam"]) - sum(
        r[1] for r in rows["gw-boiler", "sold"]
    )
    gas = sum(row[1] for row in rows["gw-mill", "gas"])
    electric = Fraction(total["grid_import"] + total["pv"] - sold, 1000) * Fraction("0.1229")
    warm = Fraction(heat, 1000) * Fraction("0.03412")
    burnt = Fraction(gas, 1000) * Fraction("389.31") / 10_000 * 1_000_000 / Fraction("29307.6")
    tce = (electric + warm + burnt) / 1000
    park_t = Fraction(document["method"]["park_mg"], 10**9)
    by_number = {item["number"]: item for item in document["indicators"]}
    assert Fraction(by_number[1]["exact"]) == tce
    assert Fraction(by_number[2]["exact"]) == park_t / tce
    assert Fraction(by_number[3]["exact"]) == tce / Fraction("12.5")
    assert Fraction(by_number[4]["exact"]) == park_t / Fraction("12.5")
    assert Fraction(by_number[20]["exact"]) == electric / 1000 / tce * 100
    loss = sum(r[1] for r in rows["gw-mill", "charge"]) - sum(
        r[1] for r in rows["gw-mill", "discharge"]
    )
    used = total["grid_import"] + total["pv"] - sold - loss
    assert Fraction(by_number[19]["exact"]) == Fraction(own * 100, used)
    hours: dict[int, list[int]] = {}
    signs = {"grid_import": 1, "pv": 1, "grid_export": -1, "charge": -1, "discharge": 1}
    for name, sign in signs.items():
        for row in rows["gw-mill", name]:
            hour = hours.setdefault(row[0] // 3_600_000, [0, 0])
            hour[0] += row[1] if name == "pv" else 0
            hour[1] += sign * row[1]
    matched = sum(max(0, min(green, consumed)) for green, consumed in hours.values())
    assert document["electricity"]["matched"] == matched > 0
    assert by_number[19]["of"][3]["key"] == "hourly_match"
    assert by_number[23]["value"] is None and by_number[24]["needs"] == "capacity"
    assert all(item["meets_near"] is None for item in document["indicators"]), "not of a year"
    assert report(cloud, capsys, "2026-11-20")["indicators"][3]["value"] is None, (
        "no fact of a day"
    )


def test_a_target_is_compared_exactly():
    bound = ("<=", Fraction(1))
    assert meets(Fraction(1), bound) is True
    assert meets(Fraction(10**9 + 1, 10**9), bound) is False, "it is shown as 1.0000"
    assert meets(None, bound) is None


def test_sub_meters_get_their_share_of_electricity_interval_by_interval(cloud: Path, capsys):
    document = report(cloud, capsys, "2026-11")
    line = next(s for s in document["streams"] if s["stream"] == "line1")
    with closing(sqlite3.connect(cloud)) as db:
        rows = db.execute(
            "SELECT t.activity, i.electricity_mg, i.consumption_wh FROM v_streams t"
            " JOIN v_intervals i USING (tenant, gateway, epoch, seq)"
            " WHERE tenant = ? AND stream = 'line1'",
            (park.TENANT,),
        ).fetchall()
    assert line["allocated_mg"] == sum(round(Fraction(a * e, c)) for a, e, c in rows)
    assert line["emission_mg"] == 0, "it enters no total"


def changed_copy(cloud: Path, tmp_path: Path, sql: str) -> Path:
    copy = tmp_path / "copy.db"
    copy.write_bytes(cloud.read_bytes())
    with closing(sqlite3.connect(copy)) as db, db:
        assert db.execute(sql).rowcount == 1
    return copy


def test_a_figure_that_was_changed_in_the_store_does_not_come_out(
    cloud: Path, tmp_path: Path, capsys
):
    where = " WHERE (journal, seq, stream) IN (SELECT journal, seq, stream FROM interval_streams"
    where += " WHERE journal = 1 AND stream = 0 ORDER BY seq LIMIT 1 OFFSET 50)"
    copy = changed_copy(
        cloud, tmp_path, "UPDATE interval_streams SET emission_mg = emission_mg - 1" + where
    )
    arguments = ["report", "--store", f"sqlite:///{copy}", "--tenant", park.TENANT]
    assert main([*arguments, "--of", "2026-11", "--to", str(tmp_path / "out")]) == 65
    text = (tmp_path / "out" / "report.html").read_text("utf-8")
    assert text.count(LABELS["differs"][0]) == 1
    capsys.readouterr()


def test_an_interval_without_a_figure_is_told_and_makes_no_ratio(
    cloud: Path, tmp_path: Path, capsys
):
    where = " WHERE (journal, seq, stream) IN (SELECT journal, seq, stream FROM interval_streams"
    where += " WHERE journal = 1 AND stream = 0 ORDER BY seq LIMIT 1 OFFSET 50)"
    copy = changed_copy(
        cloud,
        tmp_path,
        "UPDATE interval_streams SET activity = NULL, emission_mg = NULL" + where,
    )
    arguments = ["report", "--store", f"sqlite:///{copy}", "--tenant", park.TENANT]
    assert main([*arguments, "--of", "2026-11", "--json"]) == 65, "the counts say more"
    document = json.loads(capsys.readouterr().out)
    assert document["method"]["unknown"] == [["gw-mill", "grid_import", 1]]
    assert [item["value"] for item in document["indicators"]] == [None] * 9


@pytest.mark.parametrize(
    "options",
    [
        ["--of", "2026-13"],
        ["--of", "2025"],
        ["--of", "2026", "--tenant", "nobody"],
        ["--of", "2026"],
        ["--of", "2026", "--tenant", "wuxi", "--zone", "Moon/Crater"],
        ["--of", "2026", "--tenant", "wuxi", "--basis", "none"],
        ["--of", "2026", "--tenant", "wuxi", "--lang", "xx"],
    ],
)
def test_what_cannot_be_reported_is_refused(cloud: Path, capsys, options: list[str]):
    assert main(["report", "--store", f"sqlite:///{cloud}", "--json", *options]) == 2
    assert "error[usage.value]" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_named_and_no_database(
    cloud: Path, tmp_path: Path, capsys
):
    (tmp_path / "taken").write_text("a file")
    arguments = ["report", "--store", f"sqlite:///{cloud}", "--tenant", park.TENANT]
    assert main([*arguments, "--of", "2026-11", "--to", str(tmp_path / "taken")]) == 74
    err = capsys.readouterr().err
    assert "error[cloud.file]" in err and "taken" in err and "acknowledged" not in err


def test_shares_are_never_rounded_up_to_all_and_tonnes_round_half_even():
    assert percent(999_999, 1_000_000) == "99.99 %" and percent(1, 0) == "–"
    assert tonnes(500_000) == "0.000" and tonnes(1_500_000) == "0.002"
    assert tonnes(-1_234_567_891_234) == "-1,234.568"
    assert Decimal(tonnes(2_500_000)) == Decimal("0.002")
