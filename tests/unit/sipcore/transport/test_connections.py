"""Sans-IO: which connection leads where, whose certificate it is, what ends a connection."""

from dataclasses import dataclass
from ipaddress import ip_network

import pytest

from sipcore.transport.alias import alias_port
from sipcore.transport.connections import ConnectionTable, Ending, Flow, Refusal, StreamLimits
from sipcore.transport.identity import identities, is_identity_of
from sipcore.transport.layer import Hop
from sipcore.transport.source import AllowList
from tests.kit.sip_messages import request

LIMITS = StreamLimits(
    max_connections=4, max_connections_per_source=2, message_timeout=20.0, idle_timeout=3900.0
)
PEER = Hop("192.0.2.1", 40000, 0, "tcp")


@dataclass(eq=False)
class Made:
    flow: Flow


@pytest.fixture
def table() -> ConnectionTable[Made]:
    return ConnectionTable(LIMITS, AllowList([ip_network("10.0.0.0/8")]), first_flow=1000)


def add(
    table: ConnectionTable[Made], hop: Hop, *, outgoing: bool = False, names: tuple[str, ...] = ()
) -> Made:
    made = Made(table.new_flow(hop, 0.0, is_outgoing=outgoing))
    made.flow.identities = names
    table.add(made)
    return made


def test_a_connection_is_found_by_its_flow_and_by_its_other_end(table: ConnectionTable[Made]) -> None:
    made = add(table, PEER)
    assert made.flow.hop.flow == 1001
    assert table.find(made.flow.hop) is made
    assert table.find(PEER) is made
    assert table.find(PEER._replace(flow=77)) is made  # of another process
    assert table.find(PEER._replace(port=5060)) is None
    assert table.find(PEER._replace(transport="tls")) is None


def test_a_flow_number_is_never_used_again(table: ConnectionTable[Made]) -> None:
    made = add(table, PEER)
    assert table.remove(made, Ending.PEER)
    assert not table.remove(made, Ending.IDLE)
    again = add(table, PEER)
    assert again.flow.hop.flow != made.flow.hop.flow
    assert table.ended == {"peer": 1}


def test_a_connection_verified_for_one_domain_carries_nothing_for_another(
    table: ConnectionTable[Made],
) -> None:
    hop = Hop("192.0.2.9", 5061, 0, "tls", name="a.test")
    made = add(table, hop, outgoing=True)
    assert table.find(hop) is made
    assert table.find(hop._replace(name="b.test")) is None
    assert table.find(hop._replace(name="")) is None


def test_an_alias_counts_only_for_the_names_of_a_verified_certificate(table: ConnectionTable[Made]) -> None:
    stranger = add(table, PEER._replace(transport="tls"))
    assert not table.alias(stranger, 5061, trust_all=False)
    known = add(table, PEER._replace(transport="tls", port=40001), names=("pbx.test",))
    assert table.alias(known, 5061, trust_all=False)
    target = Hop("192.0.2.1", 5061, 0, "tls")
    assert table.find(target) is None
    assert table.find(target._replace(name="pbx.test")) is known
    assert table.find(target._replace(name="bank.test")) is None
    table.remove(known, Ending.PEER)
    assert table.find(target._replace(name="pbx.test")) is None


def test_by_configuration_anybody_on_an_address_may_have_his_alias(table: ConnectionTable[Made]) -> None:
    made = add(table, PEER)
    assert table.alias(made, 5060, trust_all=True)
    assert table.find(PEER._replace(port=5060)) is made
    newer = add(table, PEER._replace(port=40001))
    table.alias(newer, 5060, trust_all=True)
    table.remove(made, Ending.PEER)
    assert table.find(PEER._replace(port=5060)) is newer
    for port in range(6000, 6100):
        table.alias(newer, port, trust_all=True)
    assert table.find(PEER._replace(port=6099)) is None  # a peer has a few, not a hundred


def test_there_are_limits_in_all_and_per_source_and_peers_have_only_the_first(
    table: ConnectionTable[Made],
) -> None:
    made = [add(table, PEER._replace(port=port)) for port in (1, 2)]
    assert table.refusal("192.0.2.1") is Refusal.PER_SOURCE
    assert table.refusal("192.0.2.2") is None
    for port in (1, 2):
        add(table, Hop("10.0.0.1", port, 0, "tcp"))
    assert table.refusal("10.0.0.1") is Refusal.MAX_CONNECTIONS
    add(table, Hop("192.0.2.9", 5060, 0, "tcp"), outgoing=True)  # is counted apart
    assert table.may_open
    table.remove(made[0], Ending.PEER)
    assert table.refusal("192.0.2.1") is None
    assert table.refusal("10.0.0.1") is None


def test_time_ends_what_begins_no_message_what_does_not_end_one_and_what_is_silent(
    table: ConnectionTable[Made],
) -> None:
    silent, slow, good = (add(table, PEER._replace(port=port)) for port in (1, 2, 3))
    opened = add(table, Hop("192.0.2.9", 5060, 0, "tcp"), outgoing=True)
    good.flow.heard(1.0, pending=False)
    slow.flow.heard(0.5, pending=False)
    for second in range(1, 30):
        slow.flow.heard(float(second), pending=True)
    assert dict(table.overdue(20.5)) == {silent: Ending.SLOW_SENDER}
    assert dict(table.overdue(21.5)) == {silent: Ending.SLOW_SENDER, slow: Ending.SLOW_SENDER}
    assert dict(table.overdue(3901.5)) | {silent: 0, slow: 0} == {
        silent: 0,
        slow: 0,
        good: Ending.IDLE,
        opened: Ending.IDLE,
    }


def test_the_time_of_a_message_begins_anew_with_each(table: ConnectionTable[Made]) -> None:
    made = add(table, PEER)
    for second in range(100):  # always one under way, each takes a second
        made.flow.whole_message()
        made.flow.heard(float(second), pending=True)
    assert table.overdue(100.0) == []


CERTIFICATE = {
    "subject": ((("commonName", "old.test"),),),
    "subjectAltName": (("DNS", "A.test"), ("DNS", "*.b.test"), ("IP Address", "192.0.2.1")),
}


def test_a_certificate_speaks_for_the_names_of_rfc_5922() -> None:
    assert identities(CERTIFICATE) == ("a.test", "*.b.test", "192.0.2.1")
    assert identities({"subject": CERTIFICATE["subject"]}) == ("old.test",)
    uris = (("URI", "sip:Uri.test"), ("URI", "sip:user@x.test"), ("URI", "https:y.test"), ("DNS", "dns.test"))
    assert identities({"subjectAltName": uris}) == ("uri.test",)
    assert identities({}) == ()


def test_names_are_compared_without_case_and_wildcards_match_nothing() -> None:
    assert is_identity_of("a.TEST", CERTIFICATE)
    assert is_identity_of("192.0.2.1", CERTIFICATE)
    assert not is_identity_of("x.b.test", CERTIFICATE)
    assert not is_identity_of("old.test", CERTIFICATE)


@pytest.mark.parametrize(
    ("via", "port"),
    [
        (b"SIP/2.0/TLS pbx.test:5081;branch=z9hG4bK1;alias", 5081),
        (b"SIP/2.0/TLS pbx.test;alias;branch=z9hG4bK1", 5061),
        (b"SIP/2.0/TLS pbx.test:5081;branch=z9hG4bK1", None),
        (b"SIP/2.0/TLS pbx.test:5081;branch=z9hG4bK;aliases=1", None),
        (b"SIP/2.0/TLS ;;;alias", None),
    ],
)
def test_the_top_via_of_a_request_asks_for_an_alias(via: bytes, port: int | None) -> None:
    assert alias_port(request(via=via), "tls") == port
    below = request(
        via=b"SIP/2.0/TLS x.test;branch=z9hG4bK0\r\nVia: SIP/2.0/TLS y.test;alias;branch=z9hG4bK1"
    )
    assert alias_port(below, "tls") is None
    assert alias_port(b"SIP/2.0 200 OK\r\nVia: " + via + b"\r\n\r\n", "tls") is None
