"""A gateway over its rate is told of once when it begins and once when it has ended."""

import json

import pytest

from cloud_sync.excess import QUIET_US, Excess
from cloud_sync.fair import BURST_S, PER_GATEWAY_MAX
from cloud_sync.inbox import Inbox
from cloud_sync.report import Report
from edge.core.errors import SyncError


def test_it_is_told_once_while_it_lasts_and_when_it_has_ended_with_its_counts():
    excess = Excess(100)
    assert excess.passed("a", 0) is None
    name, fields = excess.slowed("a", 1) or ("", {})
    assert name == "over" and isinstance(fields["error"], SyncError)
    assert fields["error"].fields == {"gateway": "a", "rate": 100}
    assert excess.slowed("a", 2) is None and excess.dropped("a", 5) is None
    assert excess.passed("a", 6) is None, "the next one may be over again"
    assert excess.passed("a", 5 + QUIET_US) == (
        *("within", {"gateway": "a", "slowed": 2, "dropped": 1}),
    )
    assert excess.passed("a", 6 + QUIET_US) is None
    assert (excess.dropped("a", 7 + QUIET_US) or ("",))[0] == "over", "and again the next time"


def test_gateways_are_told_apart_and_strangers_are_one():
    excess = Excess(1)
    told = [excess.dropped(owner, 0) for owner in ("a", "", "b", "")]
    names = [news and news[1]["error"].fields["gateway"] for news in told]
    assert names == ["a", "?", "b", None]


def test_what_waits_for_the_rate_is_known_when_it_comes():
    inbox: Inbox[int, None] = Inbox(1)
    waits = [inbox.put("a", 1, number) for number in range(PER_GATEWAY_MAX)]
    assert not any(waits[:BURST_S]) and waits[-1]
    assert not inbox.put("b", 1, 0)


@pytest.mark.parametrize("is_json", [True, False])
def test_the_report_says_who_is_over_and_stays_connected(is_json: bool, capsys):
    report, excess = Report(is_json), Excess(7)
    report.notice("ready", {"broker": "b"})
    for news in (excess.dropped("park/gw-1", 0), excess.passed("park/gw-1", QUIET_US)):
        assert news is not None
        report.notice(*news)
        report.line(1)
    out, err = capsys.readouterr()
    lines = out.splitlines()
    assert lines[-1].startswith("connected") and lines[-1].endswith("dropped 1")
    assert [line.endswith("over their rate 1") for line in lines].count(True) == 1
    if is_json:
        told = [json.loads(line) for line in lines if line.startswith("{")]
        assert [one["event"] for one in told] == ["ready", "over", "within"]
        assert told[1]["code"] == "sync.rate" and told[2]["dropped"] == 1 and err == ""
    else:
        assert "error[sync.rate]" in err and "park/gw-1 is within its rate again" in out
