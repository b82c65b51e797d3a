"""The report and its Prometheus text, from a gateway in virtual time and from hostile names."""

import json

import pytest

from edge.app.counted_link import CountedLink
from edge.app.metrics import encode_metrics
from edge.app.report import KEEP_MS, Reporter
from edge.core.errors import StoreError
from hil_tests.exposition import parse_exposition

from .port_doubles import T0
from .virtual_site import Site

SPACE = {"journal_bytes": 5_000, "free_bytes": 10**9, "bytes_per_hour": 720, "hours_left": 99}


def reporter_of(site: Site, space=lambda: dict(SPACE)) -> Reporter:
    return Reporter(site.gateway, space)


def values(report: dict) -> dict[str, float]:
    """Families with one sample and no labels, by name without the prefix."""
    families = parse_exposition(encode_metrics(report))
    assert all(name.startswith("carbontally_") for name in families)
    return {
        name.removeprefix("carbontally_"): samples[0].value
        for name, samples in families.items()
        if len(samples) == 1 and not samples[0].labels
    }


def test_a_report_and_its_metrics_say_the_same():
    site = Site()
    site.gateway.pollers[0].link = CountedLink(site.link)
    site.run(3_600_000)
    report = json.loads(json.dumps(reporter_of(site).report(site.clock.mono)))
    found = values(report)
    assert report["buffer"]["records"] == found["buffer_records"] == report["journal"]["depth"]
    assert found["sync_acked_seq"] == site.head == report["journal"]["acked_seq"]
    assert found["up_seconds"] == 3600 and found["clock_quality"] == 2
    assert found["clock_seconds"] == (T0 + 3_600_000) / 1000
    assert found["journal_bytes"] == 5_000 and found["journal_left_hours"] == 99
    assert found["journal_growth_bytes_per_hour"] == 720
    assert found["intervals_total"] == report["account"]["intervals"] == 3
    families = parse_exposition(encode_metrics(report))
    asked = {
        (s.labels["station"], s.labels["result"]): s.value
        for s in families["carbontally_bus_requests_total"]
    }
    polls = {s.labels["device"]: s.value for s in families["carbontally_polls_total"]}
    assert asked == {("1", "ok"): polls["grid"] * 2, ("2", "ok"): polls["line"] * 2}
    scope2 = [s.value for s in families["carbontally_emission_kilograms"]][1]
    assert scope2 == site.gateway.scope2_mg / 10**6 > 0


def test_the_oldest_record_ages_while_the_cloud_is_away():
    site = Site()
    site.run(600_000)
    site.uplink.reachable = False
    site.run(630_000)
    report = reporter_of(site).report(site.clock.mono)
    waiting = site.store.acked_seq + 1
    age_ms = site.clock.mono - site.store.records()[waiting][3]
    assert report["buffer"]["oldest_age_ms"] == age_ms > 0
    site.run(7_200_000)
    later = reporter_of(site).report(site.clock.mono)
    assert later["buffer"]["oldest_age_ms"] == age_ms + 7_200_000 - 630_000
    assert later["buffer"]["last_ack_age_ms"] >= 6_500_000
    assert values(later)["buffer_oldest_seconds"] == later["buffer"]["oldest_age_ms"] / 1000


def test_records_of_an_earlier_start_age_by_wall_time_or_not_at_all():
    site = Site()
    site.uplink.reachable = False
    site.run(600_000)
    site.up_ms += 50_000
    site.start()
    report = reporter_of(site).report(0)
    assert report["buffer"]["oldest_age_ms"] == 650_000
    site.clock.start_wall_ms = None
    site.gateway.recorder.keep_time(1_000)
    report = reporter_of(site).report(1_000)
    assert report["clock"] == "unset" and report["buffer"]["oldest_age_ms"] is None
    assert "buffer_oldest_seconds" not in values(report)


def test_room_is_looked_up_once_in_a_while():
    site = Site()
    site.run(1_000)
    asked = []
    reporter = Reporter(site.gateway, lambda: asked.append(1) or dict(SPACE))
    for second in range(25):
        reporter.report(second * 1000)
    assert len(asked) == 1 + 24_000 // KEEP_MS


@pytest.mark.parametrize(
    "error", [StoreError("store.corrupt", file="j", seq=3), OSError(5, "input/output error")]
)
def test_a_journal_that_cannot_be_read_leaves_the_rest_of_the_report(error):
    def fail() -> dict:
        raise error

    site = Site()
    site.run(1_000)
    report = reporter_of(site, fail).report(1_000)
    assert report["buffer"] == {"records": None, "oldest_age_ms": None, "last_ack_age_ms": None}
    found = values(report)
    assert "journal_bytes" not in found and found["buffer_records"] >= 0


def test_names_that_need_escaping_stay_one_label():
    site = Site()
    site.run(60_000)
    report = reporter_of(site).report(60_000)
    nasty = 'a"b\\c\nd} 1'
    report["devices"][0]["name"] = nasty
    families = parse_exposition(encode_metrics(report))
    label = families["carbontally_polls_total"][0].labels["device"]
    assert label.replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\") == nasty
