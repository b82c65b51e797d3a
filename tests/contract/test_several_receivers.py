"""Several receivers on one PostgreSQL neither block nor lose nor repeat each other's work."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from cloud_sync.store import postgres_database
from cloud_sync.store.postgres import PostgresStore
from cloud_sync.verify import verify_store
from edge.core.errors import StoreError
from hil_tests.fleet import TENANT, Fleet, Gateway, Receiver, plan_cuts
from hil_tests.postgres_server import Server
from tests.contract.brokers import mosquitto, wait_until
from tests.unit.receiver_journal import NOW_MS

pytestmark = pytest.mark.system

GATEWAYS, POLLS, LIVES = 12, 120, 2
BATCHES = 6
DEADLINE_S = 120


class Site:
    """Two brokers, each with a receiver; both receivers store in one database."""

    def __init__(self, folder: Path, url: str, stack: ExitStack) -> None:
        history, live = plan_cuts(POLLS, POLLS // BATCHES, LIVES)
        self.gateways = [Gateway(number, history, live) for number in range(GATEWAYS)]
        self.url, self._stack = url, stack
        self.folders = [folder / "one", folder / "two"]
        for place in self.folders:
            place.mkdir()
        self.brokers = [stack.enter_context(mosquitto(place)) for place in self.folders]
        self.receivers = [self.start(0), self.start(1)]
        self.fleets = [Fleet(broker.port, self.gateways, 1) for broker in self.brokers]
        for fleet in self.fleets:
            stack.callback(fleet.close)

    def start(self, at: int) -> Receiver:
        options = ("--store", self.url, "--client-id", f"receiver-{at}")
        found = Receiver(self.folders[at], self.brokers[at].port, self.gateways, *options)
        self._stack.callback(found.process.wait, 20)
        self._stack.callback(found.process.kill)
        wait_until(lambda: found.has_said("ready"), "the receiver is ready", DEADLINE_S)
        return found

    def deadlocks(self) -> list[dict]:
        events = [one for found in self.receivers for one in found.others]
        return [one for one in events if "deadlock" in str(one)]


@pytest.fixture
def site(tmp_path: Path, postgres_server: Server) -> Iterator[Site]:
    url = postgres_server.create()
    # Long before a lock is given up, so that each has its own name.
    name = url.partition("@/")[2].partition("?")[0]
    postgres_server.execute(f"ALTER DATABASE {name} SET deadlock_timeout = '20ms'")
    with ExitStack() as stack:
        yield Site(tmp_path, url, stack)


def stored(receiver: Receiver) -> set[tuple[str, int]]:
    return {(name, first) for name, first, _, _ in list(receiver.stored)}


def judge(url: str, records: int) -> None:
    """Every record of every gateway is there once, and proved from the genesis on."""
    summary = verify_store(url)
    assert summary.ok and len(summary.journals) == GATEWAYS
    assert {(one.records, one.missing) for one in summary.journals} == {(records, 0)}
    store = PostgresStore(url, read_only=True)
    assert store.query("SELECT count(*) FROM record_rows") == [(GATEWAYS * records,)]
    for table in ("quarantine", "alarms"):
        assert store.query(f"SELECT count(*) FROM {table}") == [(0,)]
    store.close()


def test_the_same_batches_through_both_at_once(site: Site):
    """Each gateway's history by both ways, in opposite orders: no deadlock, nothing twice."""
    every = [(one, list(one.history)) for one in site.gateways]
    for at in range(BATCHES):
        for fleet, order in zip(site.fleets, (every, every[::-1]), strict=True):
            for gateway, payloads in order:
                fleet.publish(gateway, payloads[at])
    wanted = {(one.name, at * POLLS // BATCHES) for one in site.gateways for at in range(BATCHES)}
    for receiver in site.receivers:
        wait_until(lambda found=receiver: stored(found) == wanted, "all is stored", DEADLINE_S)
    assert site.deadlocks() == []
    judge(site.url, POLLS)


def test_one_that_is_killed_in_a_batch_holds_up_nobody(site: Site):
    one, other = site.receivers
    ways = [site.gateways[::2], site.gateways[1::2]]
    for fleet, gateways in zip(site.fleets, ways, strict=True):
        for gateway in gateways:
            for payload in list(gateway.history):
                fleet.publish(gateway, payload)
    count = GATEWAYS // 2 * BATCHES
    wait_until(lambda: len(stored(one)) == len(stored(other)) == count, "all stored", DEADLINE_S)
    store = PostgresStore(site.url)
    # A commit of the receiver to be killed takes half a second from now on.
    store.query("CREATE TABLE slow (backend int)")
    store.query(
        "CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
        " IF EXISTS (SELECT FROM slow) THEN PERFORM pg_sleep(0.5); END IF; RETURN NEW; END'"
    )
    store.query(
        "CREATE TRIGGER slowly BEFORE INSERT ON ranges FOR EACH ROW EXECUTE FUNCTION slowly()"
    )
    store.query("INSERT INTO slow VALUES (1)")
    gateway = ways[0][0]
    (first, live), (second, later) = gateway.live
    site.fleets[0].publish(gateway, live)
    sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
    wait_until(lambda: store.query(sleeping), "it is within the batch", DEADLINE_S)
    one.process.kill()
    one.process.wait(20)
    store.query("DELETE FROM slow")
    assert (gateway.name, first) not in stored(one)
    for payload in (live, later):  # as a gateway that hears no acknowledgement goes elsewhere
        site.fleets[1].publish(gateway, payload)
    wanted = {(gateway.name, first), (gateway.name, second)}
    wait_until(lambda: wanted <= stored(other), "the other one stores it", DEADLINE_S)
    # Its broker hands the batch over again when it is back.
    site.receivers[0] = back = site.start(0)
    wait_until(lambda: (gateway.name, first) in stored(back), "and again", DEADLINE_S)
    for fleet, gateways in zip(site.fleets, ways, strict=True):
        for each in gateways:
            for _, payload in each.live:
                fleet.publish(each, payload)
    ends = {(each.name, at) for each in site.gateways for at, _ in each.live}
    wait_until(lambda: ends <= stored(back) | stored(other), "the rest", DEADLINE_S)
    store.close()
    judge(site.url, POLLS + LIVES)


def test_the_locks_of_one_that_hangs_are_freed(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
):
    url = postgres_server.create()
    monkeypatch.setattr(postgres_database, "IDLE_MS", 200)
    hung = PostgresStore(url)
    monkeypatch.undo()
    other = PostgresStore(url)
    with pytest.raises(StoreError) as caught, hung.transaction():
        journal = hung.open_journal(TENANT, "gw", b"epoch-01", NOW_MS)
        wait_until(lambda: is_free(other), "the other one gets the journal", DEADLINE_S)
        hung.read_head(journal, b"")
    assert caught.value.code == "cloud.write"
    with hung.transaction():
        assert hung.find_journal(TENANT, "gw", b"epoch-01") is not None
    hung.close()
    other.close()


def is_free(store: PostgresStore) -> bool:
    try:
        with store.transaction():
            store.open_journal(TENANT, "gw", b"epoch-01", NOW_MS)
    except StoreError:
        return False
    return True
