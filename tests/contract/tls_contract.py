"""What every `contracts.Stream` promises of TLS, written so that CPython and MicroPython run it.

Each check takes a world: `stream(authority, is_set)` makes a stream that trusts "ca" or "other-ca"
alone, by a clock that is right or was never set; `host`; `ports` of the peers of `tls_peer`.
It raises AssertionError for a promise that is not kept. What hangs is ended from outside.
"""

from edge.core.errors import SyncError
from tests.contract.stream_contract import LOOKS_MAX, WAIT_MS, pattern, read_exactly, send_all

#: More than a record of TLS, and than a buffer of the board takes at once.
MANY = 17_000
REFUSED = ("sync.offline",)
#: Whose TLS does not say that it is the dates says that it is offline.
DATES = ("sync.dates", "sync.offline")


def attempt(stream, world, peer):
    """ "open", or the error's code."""
    stream.open(world.host, world.ports[peer], True)
    try:
        for _ in range(LOOKS_MAX):
            # A handshake may fail only where the first bytes are asked for.
            if stream.poll() == "open":
                send_all(stream, b"hello")
                read_exactly(stream, 5)
                return "open"
            stream.wait(WAIT_MS)
    except SyncError as error:
        assert error.fields["server"] == world.host + ":" + str(world.ports[peer])
        assert error.fields["reason"]
        assert stream.poll() == "closed", "what failed is closed"
        return error.code
    raise AssertionError("it neither opens nor fails")


def refused(world, peer, codes, authority="ca", is_set=True):
    """It is refused with one of the codes."""
    found = attempt(world.stream(authority, is_set), world, peer)
    assert found in codes, found


def check_what_is_sent_comes_back(world):
    stream = world.stream("ca", True)
    assert attempt(stream, world, "good") == "open"
    data = pattern(0, MANY)
    send_all(stream, data)
    for at in range(0, MANY, 1000):
        assert read_exactly(stream, 1000) == data[at : at + 1000]
    stream.close()
    assert stream.poll() == "closed"


def check_a_stream_that_was_refused_opens_elsewhere(world):
    stream = world.stream("ca", True)
    assert attempt(stream, world, "wrong-host") in REFUSED
    assert attempt(stream, world, "good") == "open"
    stream.close()


def check_the_chain_leads_to_the_authority(world):
    refused(world, "good", REFUSED, "other-ca")


def check_the_name_is_the_host_s(world):
    refused(world, "wrong-host", REFUSED)


def check_what_has_ended_is_refused(world):
    refused(world, "expired", DATES)


def check_what_begins_later_is_refused(world):
    refused(world, "early", DATES)


def check_nothing_older_than_tls_1_2_is_spoken(world):
    refused(world, "old", REFUSED)


def check_a_server_without_tls_is_refused(world):
    refused(world, "plain", REFUSED)


def check_without_the_time_nothing_is_said(world):
    """Who made the peer looks at what it has heard."""
    refused(world, "unheard", DATES, "ca", False)


CHECKS = (
    check_what_is_sent_comes_back,
    check_a_stream_that_was_refused_opens_elsewhere,
    check_the_chain_leads_to_the_authority,
    check_the_name_is_the_host_s,
    check_what_has_ended_is_refused,
    check_what_begins_later_is_refused,
    check_nothing_older_than_tls_1_2_is_spoken,
    check_a_server_without_tls_is_refused,
    check_without_the_time_nothing_is_said,
)
