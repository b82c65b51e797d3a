"""Several receivers share the batches of one Mosquitto: some of them fall, nothing is lost.

What a gateway sends is dealt out in turn, so its batches are stored in any order, by several at
once. At the end the cloud has each journal once, byte for byte.
"""

from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from cloud_sync.verify import verify_store
from hil_tests.hurried_fleet import GATEWAYS, Fleet, check_gateway
from hil_tests.postgres_server import running as running_postgres
from hil_tests.processes import Command
from tests.contract.brokers import HOST, mosquitto, wait_until

pytestmark = pytest.mark.system

RECEIVERS = 3
DRAIN_S = 60.0

#: Whoever is named in the table stays within its next batch.
SLOW = """
CREATE TABLE slow (name text);
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN
    IF EXISTS (SELECT FROM slow WHERE name = current_setting(''application_name''))
    THEN PERFORM pg_sleep(60); END IF; RETURN NEW; END';
CREATE TRIGGER slowly BEFORE UPDATE ON journals FOR EACH ROW EXECUTE FUNCTION slowly()
"""
SLEEPING = "FROM pg_stat_activity WHERE wait_event = 'PgSleep'"


class Receivers:
    """Several `receive` in one share, told apart in the database by their names."""

    def __init__(self, folder: Path, port: int, keys: Path, url: str, stack: ExitStack) -> None:
        self.folder, self.url, self.stack = folder, url, stack
        self.arguments = ["receive", "--broker", f"mqtt://{HOST}:{port}", "--keys", str(keys)]
        self.arguments += ["--share", "cloud", "--json"]
        self.running = [self.start(n) for n in range(RECEIVERS)]

    def start(self, number: int) -> Command:
        log = self.folder / f"receiver-{number}.log"
        store = f"{self.url}&application_name=receiver-{number}"
        return self.stack.enter_context(Command([*self.arguments, "--store", store], log))

    def stored(self, number: int) -> int:
        """Batches that one has stored."""
        events = list(self.running[number].events)
        return sum(event["event"] == "stored" for event in events)


def kill_in_a_batch(receivers: Receivers, fleet: Fleet, number: int) -> None:
    """kill -9 while one has written a batch and not committed it."""
    with psycopg.connect(receivers.url, autocommit=True) as db:
        db.execute("INSERT INTO slow VALUES (%s)", (f"receiver-{number}",))

        def is_within() -> bool:
            fleet.step()
            return db.execute("SELECT 1 " + SLEEPING).fetchone() is not None

        wait_until(is_within, "it is within a batch")
        receivers.running[number].kill()
        db.execute("DELETE FROM slow")
        # The server notices with the end of the statement that nobody is there any more.
        db.execute("SELECT pg_cancel_backend(pid) " + SLEEPING)


def test_receivers_that_share_a_broker_fall_and_nothing_is_lost(tmp_path: Path) -> None:
    with ExitStack() as stack:
        database = stack.enter_context(running_postgres("synchronous_commit=on"))
        broker = stack.enter_context(mosquitto(tmp_path))
        fleet = Fleet(tmp_path, [broker.port])
        receivers = Receivers(tmp_path, broker.port, fleet.keys, database.create(), stack)
        wait_until(lambda: (fleet.step(), fleet.is_acked)[1], "all are acknowledged")
        with psycopg.connect(receivers.url) as db:
            db.execute(SLOW)
        for number in (0, 1):
            kill_in_a_batch(receivers, fleet, number)
            fleet.run(0.5)
            receivers.running[number] = receivers.start(number)

        def all_share() -> bool:
            fleet.step()
            return all(receivers.stored(number) >= GATEWAYS for number in range(RECEIVERS))

        wait_until(all_share, "each has its share")
        wait_until(fleet.is_drained, "everything is acknowledged", DRAIN_S)
        fleet.close()
        for receiver in receivers.running:
            assert receiver.stop()[0] == 0, receiver.errors
        records = sum(check_gateway(receivers.url, path) for path in fleet.journals.values())
        sent = sum(gateway.uploader.batches_sent for gateway in fleet.gateways)
        print(f"{records} records, {sent} batches")
        summary = verify_store(receivers.url)
    assert len(summary.journals) == GATEWAYS and summary.ok
    assert all(journal.missing == 0 for journal in summary.journals)
