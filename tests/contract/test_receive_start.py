"""`carbontally receive` that starts before what it needs: it waits where waiting may help."""

import sqlite3
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from cloud_sync.store.sqlite import SqliteStore
from cloud_sync.verify import verify_store
from edge.__main__ import main
from hil_tests.postgres_server import Server, running
from tests.contract.brokers import HOST, free_port, mosquitto, wait_until
from tests.contract.receive_process import Process, gateway_on, receiving
from tests.unit.receiver_journal import Journal, factory

pytestmark = pytest.mark.system

DEADLINE_S = 60


@pytest.fixture(scope="module")
def journal() -> Journal:
    return factory(polls=30)


def started(folder: Path, store: str, port: int = 1, **more: bool) -> Process:
    return Process(folder, f"mqtt://{HOST}:{port}", store=store, **more)


def test_it_waits_for_postgresql_and_then_stores(tmp_path: Path, journal: Journal):
    """Started while the server is stopped, and stopped once more before it comes."""
    with running() as server, mosquitto(tmp_path) as broker:
        url = server.create()
        server.stop("fast")
        with receiving(tmp_path, broker, store=url) as process:
            failing = process.wait_for("failing")
            assert failing["code"] == "cloud.unavailable" and failing["file"] in failing["text"]
            assert process.stop()[0] == 0
        with receiving(tmp_path, broker, store=url) as process:
            process.wait_for("failing")
            assert process.of("ready") == []
            server.start()
            process.wait_for("ready")
            with gateway_on(broker) as gateway:
                gateway.send(journal.batch(0, 20))
                wait_until(lambda: gateway.acked == 20, "it is stored and acknowledged")
            assert process.stop()[0] == 0
        assert verify_store(url).ok


def test_it_waits_for_a_server_that_has_too_many_connections(tmp_path: Path):
    limits = ("max_connections=6", "superuser_reserved_connections=2", "lc_messages=C")
    with running(*limits) as server, mosquitto(tmp_path) as broker, ExitStack() as others:
        url = server.create()
        while True:
            try:
                others.enter_context(psycopg.connect(url))
            except psycopg.OperationalError:
                break
        with receiving(tmp_path, broker, store=url) as process:
            failing = process.wait_for("failing")
            assert failing["code"] == "cloud.unavailable" and "too many" in failing["text"]
            others.close()
            process.wait_for("ready")


def test_it_waits_for_a_broker_that_comes_later(tmp_path: Path, journal: Journal):
    port = free_port()
    process = started(tmp_path, "", port)
    try:
        assert process.wait_for("failing")["code"] == "sync.offline"
        with mosquitto(tmp_path, port) as broker:
            process.wait_for("ready")
            with gateway_on(broker) as gateway:
                gateway.send(journal.batch(0, 20))
                wait_until(lambda: gateway.acked == 20, "it is stored and acknowledged")
    finally:
        process.kill()


def test_it_waits_for_a_file_that_another_process_holds(tmp_path: Path):
    SqliteStore(tmp_path / "cloud.db").close()
    holder = sqlite3.connect(tmp_path / "cloud.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with mosquitto(tmp_path) as broker, receiving(tmp_path, broker) as process:
        failing = process.wait_for("failing")
        assert failing["code"] == "cloud.unavailable" and "locked" in failing["text"]
        holder.execute("ROLLBACK")
        process.wait_for("ready")
    holder.close()


def test_people_are_told_once_and_what_to_do(tmp_path: Path):
    process = started(tmp_path, "postgresql://owner@/cloud?host=/nowhere", json=False)
    try:
        wait_until(lambda: "\nnext: " in process.errors.read_text(), "it says so")
        assert process.stop()[0] == 0
    finally:
        process.kill()
    told = process.errors.read_text()
    assert told.count("error[cloud.unavailable]: ") == 1 and "tries again by itself" in told


def test_what_waiting_cannot_mend_ends_at_once(tmp_path: Path, postgres_server: Server):
    url = postgres_server.create()
    postgres_server.execute("CREATE ROLE guarded LOGIN PASSWORD 'right'")
    postgres_server.ask_password("guarded")
    empty = tmp_path / "no database"
    empty.write_text("a text")
    cases = (
        (url.replace("owner@", "guarded:wrong@"), 74, "guarded"),
        (url.replace("owner@", "unknown_role@"), 74, "unknown_role"),
        (postgres_server.url("elsewhere"), 74, "elsewhere"),
        (f"{url}&colour=blue", 74, "colour"),
        (f"sqlite:///{empty}", 74, "not a database"),
        (f"sqlite:///{tmp_path}/none/cloud.db", 74, "unable to open"),
        ("mysql://owner@db/cloud", 2, "postgresql://host/name"),
    )
    for at, (store, status, reason) in enumerate(cases):
        folder = tmp_path / str(at)
        folder.mkdir()
        process = started(folder, store)
        try:
            assert process.process.wait(DEADLINE_S) == status, store
        finally:
            process.kill()
        told = process.errors.read_text()
        assert reason in told and "wrong" not in told and process.of("failing") == [], told


@pytest.mark.parametrize(
    "options", [("--share", ""), ("--share", "a/b"), ("--share", "a", "--stream", "nats://h")]
)
def test_a_share_needs_a_name_and_no_stream(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
):
    store = f"sqlite:///{tmp_path / 'cloud.db'}"
    keys = tmp_path / "keys.toml"
    keys.touch(0o600)
    arguments = ["receive", "--broker", "mqtt://h", "--store", store, "--keys", str(keys)]
    assert main([*arguments, *options]) == 2
    assert "--share" in capsys.readouterr().err
    assert not (tmp_path / "cloud.db").exists()
