"""A reader's role sees its tenant alone, in every view and table that PostgreSQL has."""

import re
from pathlib import Path

import psycopg
import pytest

from cloud_sync.keys import Keys
from cloud_sync.reading.database import open_reading
from cloud_sync.receiver import Receiver
from cloud_sync.store import postgres_database
from cloud_sync.store.compaction import compact
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.verify import verify_store
from edge.__main__ import main
from edge.core.errors import StoreError
from edge.core.journal.record import Kind
from edge.core.sync import topics
from hil_tests.postgres_server import Server
from tests.contract.conftest import BOTH
from tests.unit.receiver_journal import KEY, NOW_MS, Journal, factory

pytestmark = pytest.mark.system

TENANTS = ("park-a", "park-b")
READER = "{}_reader"


@pytest.fixture(scope="module")
def shared(postgres_server: Server) -> str:
    """Two tenants whose gateways have one name, rows and blocks of both, a reader of each."""
    url = postgres_server.create()
    store = PostgresStore(url)
    receiver = Receiver(store, Keys({(tenant, "gw-1"): KEY for tenant in TENANTS}), lambda: NOW_MS)
    for number, tenant in enumerate(TENANTS):
        journal = factory(polls=150, seed=number, epoch=b"epoch-0%d" % number)
        topic = topics.topic(tenant, "gw-1", topics.BATCH)
        receiver.receive(topic, b"no batch")
        fork = factory(polls=4, seed=9 + number, epoch=b"epoch-0%d" % number)
        for first in range(0, len(journal.records), 50):
            last = min(first + 49, len(journal.records) - 1)
            receiver.receive(topic, journal.batch(first, last))
        receiver.receive(topic, fork.batch(0, 3))
        add_result(store, tenant, journal)
    assert compact(url, NOW_MS + 10**9)
    for tenant in TENANTS:
        postgres_server.execute(f'CREATE ROLE "{READER.format(tenant)}" LOGIN')
        postgres_server.execute(f"SELECT add_reader('{READER.format(tenant)}', '{tenant}')", url)
    postgres_server.execute("CREATE ROLE everyone LOGIN; CREATE ROLE nobody LOGIN")
    postgres_server.execute('CREATE ROLE member LOGIN IN ROLE "park-a_reader"')
    postgres_server.execute("SELECT add_reader('everyone', NULL)", url)
    store.close()
    return url


def add_result(store: PostgresStore, tenant: str, of: Journal) -> None:
    """A result of other factors, of the journal's first interval."""
    number = store.find_journal(tenant, "gw-1", of.epoch)
    seq = next(record.seq for record in of.records if record.kind == Kind.INTERVAL)
    assert number is not None
    with store.transaction():
        result = store.begin_result(number, f"of {tenant}", "set", b"d" * 32)
        assert result is not None
        emission, total = (seq, 1, -1, b"d" * 32, 5), (seq, "", 1, 2, 3, 4)
        store.add_result(number, result, [emission], [total])
        store.end_result(number, result, NOW_MS)


def as_role(url: str, role: str) -> str:
    return re.sub("//[a-z]*@", f"//{role}@", url)


def owner_of(url: str) -> str:
    return url.partition("//")[2].partition("@")[0]


def relations(url: str) -> list[str]:
    with psycopg.connect(url) as db:
        found = db.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p', 'v') AND NOT relispartition ORDER BY relname"
        ).fetchall()
    return [name for (name,) in found]


def rows(url: str, role: str, relation: str) -> list[tuple]:
    with psycopg.connect(as_role(url, role)) as db:
        return sorted(db.execute(f"SELECT t::text FROM {relation} t".encode()).fetchall())


@BOTH
def test_what_two_readers_see_adds_up_and_never_overlaps(shared: str):
    same_for_all = {"carbontally_schema", "clock_names", "quality_names", "scales"}
    apart = [name for name in relations(shared) if name not in same_for_all]
    assert len(apart) > 25
    filled = 0
    for relation in apart:
        a, b = (rows(shared, READER.format(tenant), relation) for tenant in TENANTS)
        whole = rows(shared, owner_of(shared), relation)
        if relation == "readers":
            assert len(a) == len(b) == 1 and a != b
            continue
        assert sorted(a + b) == whole, relation
        assert not set(a) & set(b), relation
        filled += bool(a) and bool(b)
    assert filled >= 26
    assert {"results", "v_results", "v_result_emissions", "v_result_totals"} <= {*apart}


def test_views_name_the_own_tenant_only(shared: str):
    for view in (name for name in relations(shared) if name.startswith("v_")):
        for tenant in TENANTS:
            with psycopg.connect(as_role(shared, READER.format(tenant))) as db:
                found = db.execute(f"SELECT DISTINCT tenant FROM {view}".encode()).fetchall()
            assert found in ([(tenant,)], []), view


def test_a_reader_does_not_wait_for_a_compiler(shared: str):
    """PostgreSQL compiles what it thinks costly: a thousand expressions for some hundred rows."""
    with psycopg.connect(as_role(shared, "park-a_reader")) as db:
        plan = db.execute("EXPLAIN (ANALYZE, TIMING OFF) SELECT * FROM v_readings").fetchall()
    assert plan and not [line for (line,) in plan if line.startswith("JIT")]


@BOTH
def test_members_read_as_their_role_and_others_nothing(shared: str):
    assert rows(shared, "member", "v_gateways") == rows(shared, "park-a_reader", "v_gateways")
    assert rows(shared, "everyone", "v_readings") == rows(shared, owner_of(shared), "v_readings")
    for relation in relations(shared):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows(shared, "nobody", relation)


@BOTH
def test_a_reader_reaches_no_partition_and_changes_nothing(shared: str):
    with psycopg.connect(as_role(shared, "park-a_reader"), autocommit=True) as db:
        found = db.execute(
            b"SELECT inhrelid::regclass FROM pg_inherits JOIN pg_class t"
            b" ON t.oid = inhrelid WHERE t.relkind = 'r'"
        ).fetchall()
        assert len(found) >= 3
        for statement in (
            *(f"SELECT * FROM {part}" for (part,) in found),
            "INSERT INTO readers SELECT oid, 'park-b' FROM pg_roles WHERE rolname = current_user",
            "SELECT add_reader('park-a_reader', 'park-b')",
            "UPDATE gateways SET tenant = 'park-a'",
            "ALTER TABLE gateways DISABLE ROW LEVEL SECURITY",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                db.execute(statement.encode())


@pytest.mark.parametrize("tenant", TENANTS)
def test_every_verb_tells_a_reader_of_its_tenant_alone(
    shared: str, tenant: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    url, other = as_role(shared, READER.format(tenant)), TENANTS[tenant == TENANTS[0]]
    out = tmp_path / "evidence.ndjson"
    assert main(["evidence", "--store", url, "--gateway", "gw-1", "--out", str(out)]) == 0
    told = out.read_text()
    for words in (
        ("verify",),
        ("recompute",),
        ("gaps",),
        ("quarantine", "list"),
        ("export", "--to", str(tmp_path / "parquet")),
        ("report", "--of", "2026-05"),
    ):
        capsys.readouterr()
        # The figures of this journal are made up, which a report says of them.
        assert main([*words, "--store", url, "--json"]) == 65 * (words[0] == "report")
        said = capsys.readouterr().out
        assert (tenant in said or "gw-1" in said or "parquet" in said) and other not in said
        told += said
    files = [path.read_bytes() for path in (tmp_path / "parquet").rglob("*.parquet")]
    assert files and all(other.encode() not in data for data in files)
    assert tenant in told and other not in told
    owner = f"{other}/gw-1"
    for verb, *words in (("verify",), ("recompute",), ("gaps",), ("evidence", "--out", str(out))):
        assert main([verb, "--store", url, "--gateway", owner, *words]) == 2
    for words in (
        ("report", "--of", "2026-05", "--json"),
        ("export", "--to", str(tmp_path / "no")),
    ):
        status = main([*words, "--store", url, "--tenant", other])
        assert status == 2 or not list((tmp_path / "no").rglob("*.parquet"))
    assert (
        main(["quarantine", "show", "1", "--store", url, "--json"]) == (tenant != TENANTS[0]) * 2
    )


def test_one_name_in_two_tenants_is_asked_for_in_full(
    shared: str, tmp_path: Path, capsys: pytest.CaptureFixture
):
    """Whoever sees all tenants must not hand one's records to another's auditor."""
    out = tmp_path / "evidence.ndjson"
    words = ["evidence", "--store", shared, "--out", str(out), "--gateway"]
    assert main([*words, "gw-1"]) == 2 and not out.exists()
    assert main([*words, "park-a/gw-1"]) == 0
    assert "park-b" not in out.read_text()
    assert main(["report", "--store", shared, "--of", "2026-05", "--json"]) == 2
    capsys.readouterr()
    for verb in ("verify", "recompute", "gaps"):
        assert main([verb, "--store", shared, "--gateway", "park-a/gw-1", "--json"]) == 0
    assert "park-b" not in capsys.readouterr().out


def test_programs_read_as_a_reader(shared: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    url = as_role(shared, "park-b_reader")
    assert [journal.owner for journal in verify_store(url).journals] == ["park-b/gw-1"]
    database = open_reading(url)
    assert database.rows("SELECT DISTINCT tenant FROM v_readings") == [("park-b",)]
    database.close()
    monkeypatch.setattr(postgres_database, "_digest", lambda: "of another program")
    with pytest.raises(StoreError) as caught:
        open_reading(url)
    assert "let `carbontally receive` open it" in str(caught.value.fields["reason"])
    PostgresStore(shared).close()  # makes the views anew, and readers keep their rights
    assert rows(shared, "park-b_reader", "v_gateways")
