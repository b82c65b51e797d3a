"""The conformance kit: our receiver passes it, and every bad one fails at its own rule."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cloud_sync.broker import Broker as Place
from cloud_sync.conformance.cli import Result, play
from cloud_sync.conformance.player import Player
from cloud_sync.conformance.rules import RULES, restart_rule, revoked_rule
from cloud_sync.key_edit import add_key, revoke_key
from cloud_sync.keys import Key
from cloud_sync.verify import verify_store
from edge.core.errors import SyncError
from tests.contract import bad_forms as forms
from tests.contract import bad_receivers as bad
from tests.contract.brokers import HOST, Broker, free_port, mosquitto
from tests.contract.receive_process import Process
from tests.contract.test_receive_command import make_certificates
from tests.unit.docs_text import cells_under
from tests.unit.receiver_journal import GATEWAY, KEY, OTHER_KEY, TENANT
from tests.unit.source_tree import ROOT

pytestmark = pytest.mark.system

CONFORMANCE = ROOT / "docs" / "contract" / "conformance.md"
ALL = [*RULES, revoked_rule(OTHER_KEY), restart_rule(lambda: None)]


def results(broker: Broker, wait_s: float, *names: str, restart=None) -> dict[str, Result]:
    place = Place(((HOST, broker.port),), False, "kit")
    rules = [*RULES, revoked_rule(OTHER_KEY), *([restart_rule(restart)] if restart else [])]
    chosen = [rule for rule in rules if not names or rule.name in names]
    player = Player(place, TENANT, GATEWAY, KEY, wait_s)
    return {result.rule: result for result in play(player, chosen)}


def test_our_receiver_passes_every_rule_on_a_real_broker(tmp_path: Path):
    with mosquitto(tmp_path, set_tcp_nodelay="true") as broker:
        url = f"mqtt://{HOST}:{broker.port}"
        running = [Process(tmp_path, url)]
        running[0].wait_for("ready")
        add_key(tmp_path / "keys.toml", (TENANT, GATEWAY), Key(OTHER_KEY))
        revoke_key(tmp_path / "keys.toml", Key(OTHER_KEY).id, "for the kit")

        def restart() -> None:
            running[-1].kill()
            running.append(Process(tmp_path, url))
            running[-1].wait_for("ready")

        try:
            found = results(broker, 20, restart=restart)
        finally:
            running[-1].kill()
    assert [one for one in found.values() if one.status != "pass"] == []
    assert list(found) == [rule.name for rule in ALL] and len(found) >= 30
    summary = verify_store(running[-1].path)
    assert summary.ok and len(summary.journals) >= 30, "nothing wrong was stored meanwhile"


#: what errs -> the rules of which it has to fail at least one, and those that it has to hold
CASES = {
    "max seq": ({"kind": bad.MaxSeq}, {"gap"}, {"cumulative", "duplicate"}),
    "no gaps": ({"kind": bad.NoGaps}, {"gap"}, {"cumulative", "duplicate"}),
    "wrong hash": ({"kind": bad.WrongHash}, {"cumulative"}, set()),
    "wrong key": ({"kind": bad.WrongKey}, {"cumulative"}, set()),
    "no ack on duplicates": (
        {"kind": bad.SilentOnDuplicates},
        {"duplicate"},
        {"cumulative", "retained"},
    ),
    "by position": ({"kind": bad.ByPosition}, {"overlap"}, {"cumulative"}),
    "dies of poison": ({"kind": bad.DiesOfPoison}, {"nan"}, {"cumulative", "duplicate"}),
    "no MAC check": ({"kind": bad.NoMac}, {"forged-mac"}, {"cumulative", "duplicate"}),
    "bans for good": ({"kind": bad.BansForGood}, {"flood"}, {"cumulative"}),
    "forgets revocations": (
        {"kind": bad.ForgetsRevocations},
        {"revoked-key"},
        {"cumulative", "forged-mac"},
    ),
    "takes forks": ({"kind": bad.TakesForks}, {"fork"}, {"cumulative", "forged-mac"}),
    "not retained": ({"service": bad.NotRetained}, {"retained"}, {"cumulative", "duplicate"}),
    "ack before commit": ({"forgets": True}, {"committed"}, {"cumulative", "duplicate"}),
}


@pytest.mark.parametrize("case", CASES)
def test_a_bad_receiver_fails_at_its_own_rule(tmp_path: Path, case: str):
    options, fails, holds = CASES[case]
    with (
        mosquitto(tmp_path, set_tcp_nodelay="true") as broker,
        bad.bad_receiver(broker.port, tmp_path, **options) as running,
    ):
        found = results(broker, 10, *holds, restart=running.restart) if holds else {}
        assert {name for name in holds if found[name].status != "pass"} == set()
        found = results(broker, 2, *fails, restart=running.restart)
    assert {name for name in fails if found[name].status == "fail"} == fails, found


#: Those that a receiver of both forms of version 2 has to hold.
FORMS = (
    "deflated",
    "deflated-mac",
    "deflated-size",
    "deflated-stream",
    "deflated-within",
    "fork-named",
)

#: what errs in a form -> the one of `FORMS` that does not come out as "pass", and how it does
FORM_CASES = {
    "an opener of its own": (forms.Inflating, {}),
    "no MAC check": (forms.InflatesUnproved, {"deflated-mac": "fail"}),
    "any size": (forms.InflatesAll, {"deflated-size": "fail"}),
    "parts of a stream": (forms.InflatesParts, {"deflated-stream": "fail"}),
    "strangers within": (forms.InflatesStrangers, {"deflated-within": "fail"}),
    "does without deflate": (forms.NoDeflate, {"deflated": "skip"}),
    "does without forks": (forms.NoForks, {"fork-named": "skip"}),
    "wrong hash of a fork": (forms.WrongForks, {"fork-named": "fail"}),
    "forks everywhere": (forms.ForksEverywhere, {"fork-named": "fail"}),
}


def test_who_errs_in_a_form_of_version_2_fails_at_that_rule_alone(tmp_path: Path):
    with mosquitto(tmp_path, set_tcp_nodelay="true") as broker:
        for case, (kind, wanted) in FORM_CASES.items():
            folder = tmp_path / case
            folder.mkdir()
            with bad.bad_receiver(broker.port, folder, kind):
                # Who is silent about one form is waited for in vain.
                wait_s = 4 if kind is forms.NoDeflate else 20
                found = results(broker, wait_s, "cumulative", *FORMS)
            statuses = {name: one.status for name, one in found.items() if one.status != "pass"}
            assert statuses == wanted, (case, found)


def test_who_believes_all_that_unpacks_fails_everywhere(tmp_path: Path):
    with (
        mosquitto(tmp_path, set_tcp_nodelay="true") as broker,
        bad.bad_receiver(broker.port, tmp_path, bad.Naive),
    ):
        wanted = ("forged-mac", "chain", "fork", "map", "nan", "ext", "oversize")
        found = results(broker, 10, *wanted)
    assert {name for name in wanted if found[name].status == "fail"} == set(wanted), found


def run(*words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "edge", "conformance", *(str(word) for word in words)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT)


def test_the_command_reports_rule_by_rule(tmp_path: Path):
    key = tmp_path / "device.key"
    key.write_text(KEY.hex())
    key.chmod(0o600)
    kit = ("--tenant", TENANT, "--gateway", GATEWAY, "--key-file", key)
    with mosquitto(tmp_path, set_tcp_nodelay="true") as broker:
        place = ("--broker", f"mqtt://{HOST}:{broker.port}", *kit)
        with bad.bad_receiver(broker.port, tmp_path, bad.SilentOnDuplicates):
            rules = ("--rule", "cumulative", "--rule", "duplicate", "--wait-s", "1")
            done = run(*place, *rules)
            assert done.returncode == 65, done.stderr
            assert "PASS cumulative       batch.md#ack" in done.stdout
            assert "FAIL duplicate " in done.stdout and "1 of 2 rules hold" in done.stdout
            done = run(*place, "--rule", "cumulative", "--json")
            assert done.returncode == 0 and json.loads(done.stdout)["status"] == "pass"
            done = run(*place, "--rule", "committed", "--restart", "false")
            assert done.returncode == 2 and "--restart is false" in done.stderr
        done = run(*place, "--wait-s", "0.3", "--json")  # nobody is there
        lines = [json.loads(line)["status"] for line in done.stdout.splitlines()]
        assert done.returncode == 65 and lines[0] == "fail" and set(lines[1:]) == {"skip"}
        assert run(*place, "--rule", "none").returncode == 2
    nobody = Place(((HOST, free_port()),), False, "kit")
    with pytest.raises(SyncError, match="sync.offline"):
        list(play(Player(nobody, TENANT, GATEWAY, KEY, 1), RULES))


def test_the_kit_plays_over_tls_as_a_user(tmp_path: Path):
    make_certificates(tmp_path)
    key, secret, ca = tmp_path / "device.key", tmp_path / "password", tmp_path / "ca.pem"
    for path, text in ((key, KEY.hex()), (secret, "secret")):
        path.write_text(text)
        path.chmod(0o600)
    files = {"certfile": tmp_path / "server.pem", "keyfile": tmp_path / "server.key"}
    options = ("--ca", str(ca), "--user", "receiver", "--password-file", str(secret))
    users = {"receiver": "secret", "kit": "secret"}
    with mosquitto(tmp_path, users=users, **files) as broker:
        url = f"mqtts://{HOST}:{broker.port}"
        process = Process(tmp_path, url, *options)
        try:
            process.wait_for("ready")
            kit = ("--broker", url, "--tenant", TENANT, "--gateway", GATEWAY, "--key-file", key)
            rules = ("--rule", "cumulative", "--rule", "cut", "--rule", "unacked")
            done = run(*kit, *rules, "--ca", ca, "--user", "kit", "--password-file", secret)
            assert done.returncode == 0, done.stdout + done.stderr
            done = run(*kit, *rules, "--ca", ca)
            assert done.returncode == 69 and "error[sync." in done.stderr
        finally:
            process.kill()


def test_every_rule_is_in_the_page_with_its_section():
    rows = {row[0].strip("`"): row[1:] for row in cells_under(CONFORMANCE, "Rules")}
    assert list(rows) == [rule.name for rule in ALL]
    for rule in ALL:
        assert rows[rule.name][0] == f"[{rule.section.partition('#')[2]}]({rule.section})"
        assert rows[rule.name][1] == rule.text
