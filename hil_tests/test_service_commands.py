"""`carbontally status` and `carbontally check`, run as people run them."""

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from edge.core.errors.table import exit_status
from hil_tests.processes import ROOT
from hil_tests.site import FACTORY, GATEWAY, Site, write_secret
from hil_tests.witness import read_journal
from tests.contract.brokers import HOST, free_port, mosquitto
from tests.contract.tls_peer import make_certificates

pytestmark = pytest.mark.system


def run(verb: str, config: Path, *options: str, tongue: str = "en") -> tuple[int, str, str]:
    """(exit status, standard output, standard error) of a verb."""
    done = subprocess.run(
        [sys.executable, "-m", "edge", verb, "-c", str(config), *options],
        cwd=ROOT,
        env={**os.environ, "CARBONTALLY_LANG": tongue, "http_proxy": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stdout, done.stderr


def report_of(config: Path) -> dict[str, Any]:
    status, output, errors = run("status", config, "--json")
    assert (status, errors) == (0, "")
    found: dict[str, Any] = json.loads(output)
    return found


def findings_of(config: Path) -> tuple[int, dict[str, list[dict[str, Any]]]]:
    """Exit status, and every finding by what it is about."""
    status, output, errors = run("check", config, "--json")
    assert errors == ""
    facts = [json.loads(line) for line in output.splitlines()]
    assert facts[-1] == {"event": "done", "status": status}
    about: dict[str, list[dict[str, Any]]] = {}
    for fact in facts[:-1]:
        about.setdefault(fact["about"], []).append(fact)
        assert fact["ok"] == (fact["code"] is None) == (fact["next"] == "")
    wrong = [exit_status(f["code"]) for f in facts[:-1] if not f["ok"]]
    assert status == max(wrong, default=0)
    return status, about


def wrong(about: dict[str, list[dict[str, Any]]]) -> dict[str, str]:
    """What is wrong -> its code; the clock is that of the machine the test runs on."""
    return {
        name: fact["code"]
        for name, facts in about.items()
        for fact in facts
        if not fact["ok"] and name != "clock"
    }


def make_site(folder: Path, port: int) -> Site:
    site = Site(folder, port, FACTORY[3:5], poll_ms=200)
    site.document["status"] = {"port": free_port()}
    site.write()
    return site


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A site that has run, with part of its journal acked, and stands now."""
    folder = tmp_path_factory.mktemp("stopped")
    with mosquitto(folder) as broker:
        site = make_site(folder, broker.port)
        with site.emulator(), site.run_gateway() as gateway:
            with site.run_receiver():
                gateway.wait_status(lambda e: e["journal"]["acked_seq"] > 5, "acked")
            acked = gateway.events[-1]["journal"]["acked_seq"]
            gateway.wait_status(lambda e: e["journal"]["head_seq"] > acked + 20, "more")
            gateway.process.kill()
    return site


def test_a_running_gateway_is_asked(tmp_path: Path) -> None:
    with mosquitto(tmp_path) as broker, ExitStack() as stack:
        site = make_site(tmp_path, broker.port)
        stack.enter_context(site.emulator())
        stack.enter_context(site.run_receiver())
        gateway = stack.enter_context(site.run_gateway())
        gateway.wait_status(lambda e: e["journal"]["acked_seq"] > 5, "it works")
        found = report_of(site.config)
        assert (found["source"], found["gateway"], found["boot"]) == ("gateway", GATEWAY, 1)
        assert [d["name"] for d in found["devices"]] == ["steam", "stack"]
        status, output, _ = run("status", site.config)
        lines = output.splitlines()
        assert status == 0 and lines[0].startswith("gateway gw-1: running")
        words = [line.split()[0] for line in lines[1:]]
        assert words == ["clock", "buffer", "room", "losses", "uplink", "station", "station"]
        assert "online" in lines[5] and "4 steam: good" in lines[6]
        chinese = run("status", site.config, tongue="zh")[1].splitlines()
        assert len(chinese) == len(lines) and all(not line.isascii() for line in chinese)
        status, about = findings_of(site.config)
        assert wrong(about) == {}
        assert about["gateway"][0]["text"] == "running, start 1"
        assert gateway.stop()[0] == 0, "neither disturbed it"


def test_without_an_answer_the_journal_is_read_and_that_is_said(stopped: Site) -> None:
    journal = read_journal(stopped.journal)
    before = sorted(path.name for path in stopped.folder.iterdir())
    found = report_of(stopped.config)
    assert (found["source"], found["reason"]) == ("journal", "no_answer")
    assert found["journal"] == {
        "head_seq": len(journal.entries) - 1,
        "acked_seq": journal.acked,
        "depth": len(journal.entries) - 1 - journal.acked,
    }
    assert found["buffer"]["records"] == found["journal"]["depth"] > 20
    oldest = journal.entries[journal.acked + 1]
    assert found["buffer"]["oldest_age_ms"] == found["wall_ms"] - oldest.wall_ms
    assert found["epoch"] == journal.epoch.hex() and found["boot"] == journal.boot
    text = run("status", stopped.config)[1]
    assert "read from its journal, as nothing answers on its status port" in text
    assert sorted(path.name for path in stopped.folder.iterdir()) == before
    assert read_journal(stopped.journal) == journal, "reading changed nothing"


def test_without_a_port_the_journal_of_a_running_gateway_is_read(tmp_path: Path) -> None:
    site = Site(tmp_path, free_port(), FACTORY[3:4], poll_ms=200)
    with site.emulator(), site.run_gateway() as gateway:
        gateway.wait_status(lambda e: e["journal"]["head_seq"] > 10, "some records")
        found = report_of(site.config)
        assert (found["source"], found["reason"]) == ("journal", "no_port")
        assert found["buffer"]["records"] > 10 and found["buffer"]["last_ack_age_ms"] is None
        assert found["newest_age_ms"] < 10_000
        assert gateway.stop()[0] == 0


def test_a_stranger_on_the_port_is_not_believed(stopped: Site) -> None:
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"gateway": "gw-2", "source": "gateway"}')

        def log_message(self, format: str, *args: object) -> None:
            pass

    port = stopped.document["status"]["port"]
    with ThreadingHTTPServer((HOST, port), Stranger) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = report_of(stopped.config)
        _, about = findings_of(stopped.config)
        server.shutdown()
    assert (found["source"], found["reason"]) == ("journal", "stranger")
    assert wrong(about)["gateway"] == "config.value"


def test_no_journal_is_an_error_with_its_status(tmp_path: Path) -> None:
    site = make_site(tmp_path, free_port())
    status, output, errors = run("status", site.config)
    assert (status, output) == (74, "") and "error[store.open]" in errors


def test_everything_wrong_is_one_line_each_in_both_languages(
    stopped: Site, tmp_path: Path
) -> None:
    """No broker, no port, a key for all to read, a journal for all to read."""
    folder = tmp_path / "site"
    shutil.copytree(stopped.folder, folder, ignore=shutil.ignore_patterns("dev", "*.log"))
    config, journal = folder / "gateway.toml", folder / "journal.db"
    (folder / "device.key").chmod(0o644)
    journal.chmod(0o644)
    status, about = findings_of(config)
    assert wrong(about) == {
        "key": "config.secret",
        "journal": "store.exposed",
        "port": "bus.port",
        "broker": "sync.offline",
    }
    assert status == 80
    english, chinese = (run("check", config, tongue=t)[1].splitlines() for t in ("en", "zh"))
    assert len(english) == len(chinese) == sum(len(facts) for facts in about.values())
    assert [line.split()[1] for line in english] == [line.split()[1] for line in chinese]
    for one, other in zip(english, chinese, strict=True):
        assert one.startswith("ok ") == other.startswith("ok ")
        assert one.isascii() and ("clock: synced" in one or not other.isascii())


def test_a_journal_that_has_lost_its_end_is_found(stopped: Site, tmp_path: Path) -> None:
    folder = tmp_path / "site"
    shutil.copytree(stopped.folder, folder, ignore=shutil.ignore_patterns("dev", "*.log"))
    journal = folder / "journal.db"
    log = folder / "journal.db-wal"
    assert wrong(findings_of(folder / "gateway.toml")[1]).get("journal") is None
    log.write_bytes(log.read_bytes()[: log.stat().st_size // 2])
    assert wrong(findings_of(folder / "gateway.toml")[1])["journal"] == "store.corrupt"
    journal.write_bytes(b"no journal" * 1000)
    assert wrong(findings_of(folder / "gateway.toml")[1])["journal"] == "store.corrupt"


def test_a_configuration_that_cannot_be_used_is_the_only_finding(stopped: Site) -> None:
    broken = stopped.folder / "broken.toml"
    broken.write_text(stopped.config.read_text().replace('"hefeng_cems"', '"hefeng_cem"'))
    status, about = findings_of(broken)
    assert (status, wrong(about)) == (78, {"config": "config.reference"})


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("certificates")
    make_certificates(folder)
    yield folder


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("good", {"certificate": "sync.certificate"}),  # it lasts a day
        ("expired", {"broker": "sync.dates"}),
        ("wrong-host", {"broker": "sync.offline"}),
    ],
)
def test_certificates_are_looked_at(
    tmp_path: Path, certificates: Path, name: str, expected: dict[str, str]
) -> None:
    options = {"certfile": certificates / f"{name}.pem", "keyfile": certificates / f"{name}.key"}
    with mosquitto(tmp_path, **options) as broker:
        site = make_site(tmp_path, broker.port)
        site.document["uplink"]["broker"] = f"mqtts://{HOST}:{broker.port}"
        site.document["uplink"]["ca_file"] = str(certificates / "ca.pem")
        site.write()
        with site.emulator():
            _, about = findings_of(site.config)
    assert wrong(about) == expected
    if name == "good":
        said = [fact["text"] for fact in about["certificate"]]
        assert said == [
            "the certificate of good is valid for 0 days more",
            "the certificate of ca is valid for 1 days more",
        ]
        assert about["broker"][0]["text"] == f"{HOST}:{broker.port} lets us in and subscribe"


def test_the_broker_s_refusal_is_told_and_the_gateway_keeps_its_session(tmp_path: Path) -> None:
    with mosquitto(tmp_path, users={"gw": "trombone"}) as broker:
        site = make_site(tmp_path, broker.port)
        site.document["uplink"].update(user="gw", password_file="password")
        site.write()
        password = tmp_path / "password"
        write_secret(password, "trombone\n")
        with site.emulator(), site.run_gateway() as gateway:
            online = gateway.wait_status(lambda e: e["uplink"]["state"] == "online", "online")
            assert wrong(findings_of(site.config)[1]) == {}
            write_secret(password, "bassoon\n")
            assert wrong(findings_of(site.config)[1]) == {"broker": "sync.refused"}
            after = gateway.wait_status(lambda e: True, "a status")
            assert after["uplink"]["state"] == "online"
            assert after["uplink"]["error"] is None and online["boot"] == after["boot"]
            assert gateway.stop()[0] == 0
    codes = [code for code, _ in read_journal(site.journal).events()]
    assert "sync.offline" not in codes, "no takeover by a second client of its name"


def test_a_broker_that_is_no_broker_is_told_in_time(stopped: Site) -> None:
    port = int(stopped.broker.rpartition(":")[2])

    class Silent(BaseHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, port), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _, about = findings_of(stopped.config)
        server.shutdown()
    assert wrong(about)["broker"] in ("sync.protocol", "sync.offline", "sync.timeout")
