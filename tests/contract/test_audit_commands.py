"""The auditor's verbs give one answer from every store: SQLite, PostgreSQL, and its blocks."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cloud_sync.store.compaction import compact
from edge.__main__ import main
from edge.core.journal.record import Kind, Record, decode_record, encode_record
from hil_tests.postgres_server import Server
from tests.unit.port_doubles import KEY
from tests.unit.recorded_site import GATEWAY, TENANT, cloud_of, records_of, six_hours
from tests.unit.virtual_site import HOUR_MS

pytestmark = pytest.mark.system

HOLE = (300, 340)
OWNER = f"{TENANT}/{GATEWAY}"


def period() -> tuple[str, ...]:
    """The options of two hours in the middle."""
    middle = [record.wall_ms for record in records_of(six_hours())][-1] - 4 * HOUR_MS
    start, end = (datetime.fromtimestamp(at / 1000, UTC) for at in (middle, middle + 2 * HOUR_MS))
    return ("--from", start.isoformat(), "--to", end.isoformat())


class Stores:
    """The same records three times: urls by name, and the records."""

    def __init__(self, server: Server, folder: Path, records: list[Record], *holes) -> None:
        self.urls = {"sqlite": f"sqlite:///{folder / 'cloud.db'}"}
        self.urls |= {name: server.create() for name in ("rows", "blocks")}
        self.records = records
        for place in (folder / "cloud.db", self.urls["rows"], self.urls["blocks"]):
            cloud_of(place, records, holes)[0].close()
        self.blocks = compact(self.urls["blocks"], records[-1].wall_ms + 1)


@pytest.fixture(scope="module")
def whole(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    return Stores(postgres_server, tmp_path_factory.mktemp("whole"), records_of(six_hours()))


@pytest.fixture(scope="module")
def holed(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Stores:
    folder = tmp_path_factory.mktemp("holed")
    return Stores(postgres_server, folder, records_of(six_hours()), HOLE)


def answers(stores: Stores, capsys: pytest.CaptureFixture, verb: str, *words: str, status: int):
    """What the verb prints for the stores, which has to be one text."""
    found = {}
    for name, url in stores.urls.items():
        capsys.readouterr()
        assert main([verb, "--store", url, *words]) == status, capsys.readouterr().err
        found[name] = capsys.readouterr().out
    assert found["rows"] == found["sqlite"]
    assert found["blocks"] == found["sqlite"]
    return [json.loads(line) for line in found["sqlite"].splitlines()]


def test_blocks_are_really_blocks(whole: Stores, holed: Stores):
    polls = [record for record in whole.records if record.kind == Kind.POLL]
    assert whole.blocks > 0.9 * len(polls) > 300 and holed.blocks > 0.8 * len(polls)


def test_verify(whole: Stores, holed: Stores, capsys: pytest.CaptureFixture):
    (found,) = answers(whole, capsys, "verify", "--json", status=0)
    assert found["owner"] == OWNER and found["broken"] is None
    assert found["records"] == len(whole.records) == found["head"] + 1
    (part,) = answers(whole, capsys, "verify", "--json", *period(), status=0)
    assert 0 < part["records"] < found["records"]
    (found,) = answers(holed, capsys, "verify", "--json", status=0)
    assert found["missing"] == HOLE[1] - HOLE[0] + 1 and found["head"] == HOLE[0] - 1


def test_recompute(whole: Stores, holed: Stores, capsys: pytest.CaptureFixture):
    intervals = [record for record in whole.records if record.kind == Kind.INTERVAL]
    found = answers(whole, capsys, "recompute", "--json", status=0)
    assert [one["status"] for one in found] == ["equal"] * len(intervals)
    found = answers(whole, capsys, "recompute", "--json", *period(), status=0)
    assert 0 < len(found) < len(intervals)
    found = answers(holed, capsys, "recompute", "--json", status=0)
    assert {one["status"] for one in found} == {"equal", "unproven"}


def test_another_factor_set(whole: Stores, tmp_path: Path):
    results = []
    for name, url in whole.urls.items():
        out = tmp_path / f"{name}.ndjson"
        words = ("--factors", "mee_electricity_2023", "--out", str(out))
        assert main(["recompute", "--store", url, *words]) == 0
        results.append(out.read_bytes())
    assert results[0] == results[1] == results[2] and results[0].count(b"\n") > 20


def test_gaps(whole: Stores, holed: Stores, capsys: pytest.CaptureFixture):
    found = answers(holed, capsys, "gaps", "--json", "--offset", "+08:00", status=0)
    assert [one["kind"] for one in found[:2]] == ["missing", "day"]
    assert (found[0]["first"], found[0]["last"]) == HOLE
    assert any(one.get("reasons") == ["missing"] for one in found)
    days = answers(whole, capsys, "gaps", "--json", *period(), status=0)
    assert {one["device"] for one in days} == {"grid", "line"}


def test_evidence(holed: Stores, whole: Stores, tmp_path: Path, capsys: pytest.CaptureFixture):
    keys = tmp_path / "keys.toml"
    keys.write_text(f'[{TENANT}.{GATEWAY}]\nkey = "{KEY.hex()}"\n')
    key = tmp_path / "device.key"
    key.write_text(KEY.hex())
    for secret in (keys, key):
        secret.chmod(0o600)
    for title, stores, words, status in (
        ("whole", whole, (), 0),
        ("part", whole, period(), 0),
        ("holed", holed, (), 3),
    ):
        files = []
        for name, url in stores.urls.items():
            out = tmp_path / f"{title}-{name}.ndjson"
            more = ("--gateway", OWNER, "--keys", str(keys), "--out", str(out), *words)
            assert main(["evidence", "--store", url, *more]) == 0
            files.append(out.read_bytes())
        assert files[0] == files[1] == files[2]
        capsys.readouterr()
        checked = ("--evidence", str(out), "--key-file", str(key), "--json")
        assert main(["verify", *checked]) == status
        found = json.loads(capsys.readouterr().out)
        assert found["sealed"] and found["missing"] == ([list(HOLE)] if status else [])


def changed(records: list[Record], seq: int) -> list[Record]:
    """One emission is 5 mg more; a gateway that lies, with an honest chain."""
    record = decode_record(encode_record(records[seq]))
    record.body[2][0][4] += 5
    return [*records[:seq], record, *records[seq + 1 :]]


def test_a_figure_that_does_not_come_out(
    postgres_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture
):
    records = records_of(six_hours())
    seq = [record.seq for record in records if record.kind == Kind.INTERVAL][3]
    stores = Stores(postgres_server, tmp_path, changed(records, seq))
    found = answers(stores, capsys, "recompute", "--json", status=65)
    (wrong,) = [one for one in found if one["status"] == "differs"]
    assert wrong["seq"] == seq
    honest = records[seq].body[2][0][4]
    assert (wrong["differences"][0]["recorded"], wrong["differences"][0]["computed"]) == (
        *(honest + 5, honest),
    )


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("UPDATE record_rows SET body = body || '\\x00'::bytea WHERE seq = {}", Kind.INTERVAL),
        ("UPDATE record_rows SET hash = '\\x00'::bytea WHERE seq = {}", Kind.TABLE),
        ("UPDATE intervals SET scope2_mg = scope2_mg + 1 WHERE seq = {}", Kind.INTERVAL),
        ("DELETE FROM events WHERE seq = {}", Kind.EVENT),
    ],
)
def test_what_is_changed_in_the_database_is_named(
    postgres_server: Server, tmp_path: Path, capsys: pytest.CaptureFixture, sql: str, kind: int
):
    records = records_of(six_hours())
    seq = [record.seq for record in records if record.kind == kind][-1]
    url = postgres_server.create()
    cloud_of(url, records)[0].close()
    compact(url, records[-1].wall_ms + 1)
    postgres_server.execute(sql.format(seq), url)
    assert main(["verify", "--store", url, "--json"]) == 65
    assert json.loads(capsys.readouterr().out)["broken"] == seq


def test_a_gateway_that_is_not_there_is_refused(whole: Stores, tmp_path: Path, capsys):
    for url in whole.urls.values():
        for verb, *words in (
            ("verify",),
            ("recompute",),
            ("gaps",),
            ("evidence", "--out", str(tmp_path / "e.ndjson")),
        ):
            assert main([verb, "--store", url, "--gateway", "gw-9", *words]) == 2
            assert re.search(r"usage\.value.*gw-9", capsys.readouterr().err)
    assert not (tmp_path / "e.ndjson").exists()


def test_a_figure_is_followed_in_the_evidence_of_any_store(whole: Stores, tmp_path: Path, capsys):
    """What an auditor has: the file, and no database."""
    intervals = [record.seq for record in whole.records if record.kind == Kind.INTERVAL]
    told = []
    for name, url in whole.urls.items():
        out = str(tmp_path / f"{name}.ndjson.gz")
        assert main(["evidence", "--store", url, "--gateway", OWNER, "--out", out]) == 0
        for seq in (intervals[0], intervals[7]):
            words = ["--stream", "grid", "--interval", str(seq), "--json"]
            capsys.readouterr()
            assert main(["explain", "--evidence", out, *words]) == 0
            told.append(json.loads(capsys.readouterr().out))
    for seq, found in zip((intervals[0], intervals[7]), told[:2], strict=True):
        words = ["--stream", "grid", "--interval", str(seq), "--json"]
        assert main(["explain", "--store", whole.urls["sqlite"], *words]) == 0
        assert json.loads(capsys.readouterr().out) == found and found["same"]
    assert told[:2] == told[2:4] == told[4:]


def test_evidence_that_does_not_suffice_is_said_to(whole: Stores, tmp_path: Path, capsys):
    part, broken = tmp_path / "part.ndjson", tmp_path / "broken.ndjson"
    words = ("--gateway", OWNER, "--out", str(part), *period())
    assert main(["evidence", "--store", whole.urls["rows"], *words]) == 0
    broken.write_text(part.read_text()[:5_000])
    (tmp_path / "no.ndjson.gz").write_bytes(b"no gzip")
    for name, status, code in (
        ("part.ndjson", 2, "usage.value"),
        ("broken.ndjson", 74, "cloud.file"),
        ("no.ndjson.gz", 74, "cloud.file"),
        ("none.ndjson", 74, "cloud.file"),
    ):
        assert main(["explain", "--evidence", str(tmp_path / name), "--stream", "grid"]) == status
        assert f"error[{code}]" in capsys.readouterr().err
    for url, status in (
        ("mysql://owner:hush@host/name", 2),
        ("postgresql://owner:hush@127.0.0.1:1/name", 69),
    ):
        assert main(["explain", "--store", url, "--stream", "grid"]) == status
        assert "hush" not in capsys.readouterr().err
