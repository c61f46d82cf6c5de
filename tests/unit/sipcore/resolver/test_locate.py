"""Locating SIP servers by RFC 3263, without a DNS: the test answers the questions."""

import pytest

from sipcore.resolver.locate import Candidate
from sipcore.resolver.records import Answer, Naptr, Outcome, Question, RecordType, Srv
from tests.kit.virtual_dns import ALL, VirtualDns, Zone

# The example of RFC 3263 section 4.1, with addresses of RFC 5737.
EXAMPLE: Zone = {
    ("example.com", "NAPTR"): [
        Naptr(50, 50, "s", "sips+d2t", "_sips._tcp.example.com"),
        Naptr(90, 50, "s", "sip+d2t", "_sip._tcp.example.com"),
        Naptr(100, 50, "s", "sip+d2u", "_sip._udp.example.com"),
    ],
    ("_sip._tcp.example.com", "SRV"): [
        Srv(0, 1, 5060, "server1.example.com"),
        Srv(0, 2, 5060, "server2.example.com"),
    ],
    ("_sips._tcp.example.com", "SRV"): [Srv(0, 1, 5061, "server1.example.com")],
    ("server1.example.com", "A"): ["192.0.2.1"],
    ("server2.example.com", "A"): ["192.0.2.2"],
}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:bob@192.0.2.7", Candidate("192.0.2.7", 5060, "udp")),
        ("sip:bob@192.0.2.7:5080", Candidate("192.0.2.7", 5080, "udp")),
        ("sip:bob@[2001:db8::7]", Candidate("2001:db8::7", 5060, "udp")),
        ("sip:bob@192.0.2.7;transport=TCP", Candidate("192.0.2.7", 5060, "tcp")),
        ("sip:bob@192.0.2.7;transport=tls", Candidate("192.0.2.7", 5061, "tls", "192.0.2.7")),
        ("sips:bob@192.0.2.7", Candidate("192.0.2.7", 5061, "tls", "192.0.2.7")),
        ("sips:bob@192.0.2.7;transport=tcp", Candidate("192.0.2.7", 5061, "tls", "192.0.2.7")),
        ("sips:bob@192.0.2.7;transport=ws", Candidate("192.0.2.7", 443, "wss", "192.0.2.7")),
        ("sip:bob@example.com:5080;maddr=192.0.2.9", Candidate("192.0.2.9", 5080, "udp")),
        ("sips:bob@example.com;maddr=192.0.2.9", Candidate("192.0.2.9", 5061, "tls", "example.com")),
    ],
)
def test_an_address_is_its_own_candidate(uri: str, expected: Candidate) -> None:
    dns = VirtualDns({})
    assert dns.begin(uri) == [[expected]]
    assert not dns.take()


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@192.0.2.7;transport=sctp",
        "sips:bob@192.0.2.7;transport=udp",
        "sip:[2001:db8::7];transport=ws",
        "sip:bob@example.com;transport=sctp",
        "sips:bob@example.com:5061;transport=udp",
        "tel:+123",
        f"sip:{'a' * 64}.example.com",
        f"sip:{'abc.' * 64}example.com",
        "sip:a..example.com",
    ],
)
def test_there_is_no_way_without_a_transport_of_ours_or_a_possible_name(uri: str) -> None:
    dns = VirtualDns({}, {**ALL, "ws": (4,)})
    assert dns.begin(uri) == [[]]
    assert not dns.take()


def test_naptr_says_the_transport_and_srv_the_servers() -> None:
    dns = VirtualDns(EXAMPLE, {"udp": (4,), "tcp": (4,)}, randint=max)
    assert dns.locate("sip:bob@example.com") == [
        Candidate("192.0.2.2", 5060, "tcp"),
        Candidate("192.0.2.1", 5060, "tcp"),
    ]
    assert [(question.name, question.type.name) for question in dns.asked] == [
        ("example.com", "NAPTR"),
        ("_sip._tcp.example.com", "SRV"),
        ("server2.example.com", "A"),
        ("server1.example.com", "A"),
    ]


def test_what_the_domain_wants_least_is_no_way_around_tls() -> None:
    dns = VirtualDns(EXAMPLE, {"udp": (4,), "tcp": (4,), "tls": (4,)})
    assert dns.locate("sip:bob@example.com") == [Candidate("192.0.2.1", 5061, "tls", "example.com")]


def test_a_sips_uri_takes_only_secure_services() -> None:
    naptr = [Naptr(10, 50, "s", "sip+d2t", "_sip._tcp.example.com")]
    zone = {**EXAMPLE, ("example.com", "NAPTR"): naptr}
    assert VirtualDns(zone).locate("sips:bob@example.com") == [
        Candidate("192.0.2.1", 5061, "tls", "example.com")
    ]
    assert VirtualDns(zone, {"udp": (4,), "tcp": (4,)}).locate("sips:bob@example.com") == []


def test_naptr_of_equal_order_are_tried_by_preference() -> None:
    zone: Zone = {
        ("example.com", "NAPTR"): [
            Naptr(10, 60, "s", "sip+d2u", "_sip._udp.example.com"),
            Naptr(10, 50, "s", "sip+d2t", "_sip._tcp.example.com"),
            Naptr(10, 40, "u", "e2u+sip", ""),
            Naptr(10, 70, "a", "sip+d2w", "edge.example.com"),
        ],
        ("_sip._tcp.example.com", "SRV"): [Srv(0, 0, 5070, "a.example.com")],
        ("_sip._udp.example.com", "SRV"): [Srv(0, 0, 5080, "a.example.com")],
        ("a.example.com", "A"): ["192.0.2.1"],
        ("edge.example.com", "A"): ["192.0.2.9"],
    }
    assert VirtualDns(zone).locate("sip:example.com") == [
        Candidate("192.0.2.1", 5070, "tcp"),
        Candidate("192.0.2.1", 5080, "udp"),
        Candidate("192.0.2.9", 80, "ws"),
    ]


def test_without_naptr_each_transport_of_ours_that_has_srv_is_tried() -> None:
    zone = {key: value for key, value in EXAMPLE.items() if key[1] != "NAPTR"}
    dns = VirtualDns(zone, {"udp": (4,), "tls": (4,), "tcp": (4,)})
    assert dns.locate("sip:bob@example.com") == [
        Candidate("192.0.2.1", 5061, "tls", "example.com"),
        Candidate("192.0.2.1", 5060, "tcp"),
        Candidate("192.0.2.2", 5060, "tcp"),
    ]


def test_without_naptr_and_srv_the_name_itself_is_tried_with_the_default_transport() -> None:
    zone: Zone = {("example.com", "A"): ["192.0.2.1"], ("example.com", "AAAA"): ["2001:db8::1"]}
    assert VirtualDns(zone).locate("sip:bob@example.com") == [
        Candidate("192.0.2.1", 5060, "udp"),
        Candidate("2001:db8::1", 5060, "udp"),
    ]
    assert VirtualDns(zone, {"tls": (6, 4)}).locate("sips:bob@Example.COM.") == [
        Candidate("2001:db8::1", 5061, "tls", "example.com"),
        Candidate("192.0.2.1", 5061, "tls", "example.com"),
    ]


def test_a_named_transport_needs_no_naptr() -> None:
    dns = VirtualDns(EXAMPLE)
    assert dns.locate("sip:bob@example.com;transport=tcp")[0].transport == "tcp"
    assert dns.asked[0] == Question("_sip._tcp.example.com", RecordType.SRV)
    dns = VirtualDns({("example.com", "A"): ["192.0.2.1"]})
    assert dns.locate("sip:example.com;transport=tls") == [Candidate("192.0.2.1", 5061, "tls", "example.com")]
    assert dns.locate("sip:example.com;transport=ws") == [Candidate("192.0.2.1", 80, "ws")]


def test_a_port_in_the_uri_needs_neither_naptr_nor_srv() -> None:
    dns = VirtualDns({("example.com", "A"): ["192.0.2.1"]}, {"udp": (4,)})
    assert dns.locate("sip:bob@example.com:5099") == [Candidate("192.0.2.1", 5099, "udp")]
    assert dns.asked == [Question("example.com", RecordType.A)]


def test_a_service_that_is_switched_off_has_no_fallback_to_the_name() -> None:
    zone: Zone = {("_sip._udp.example.com", "SRV"): [Srv(0, 0, 0, "")], ("example.com", "A"): ["192.0.2.1"]}
    assert VirtualDns(zone).locate("sip:bob@example.com") == []


def test_a_maddr_name_is_looked_up_and_the_domain_of_the_uri_verified() -> None:
    dns = VirtualDns({("edge.example.net", "A"): ["192.0.2.5"]})
    assert dns.locate("sips:bob@example.com:5070;maddr=edge.example.net") == [
        Candidate("192.0.2.5", 5070, "tls", "example.com")
    ]


def test_only_ip_versions_that_the_transport_has_are_asked_for() -> None:
    dns = VirtualDns({("example.com", "AAAA"): ["2001:db8::1"]}, {"udp": (6,)})
    assert dns.locate("sip:example.com:5060") == [Candidate("2001:db8::1", 5060, "udp")]
    assert dns.asked == [Question("example.com", RecordType.AAAA)]


def test_an_srv_target_that_is_an_address_is_taken_as_one() -> None:
    dns = VirtualDns({("_sip._udp.example.com", "SRV"): [Srv(0, 0, 5062, "192.0.2.3")]}, {"udp": (4,)})
    assert dns.locate("sip:example.com;transport=udp") == [Candidate("192.0.2.3", 5062, "udp")]


def test_the_same_place_is_tried_once() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [
            Srv(0, 0, 5060, "a.example.com"),
            Srv(1, 0, 5060, "b.example.com"),
        ],
        ("a.example.com", "A"): ["192.0.2.1"],
        ("b.example.com", "A"): ["192.0.2.1", "192.0.2.2"],
    }
    assert [c.host for c in VirtualDns(zone, {"udp": (4,)}).locate("sip:example.com")] == [
        "192.0.2.1",
        "192.0.2.2",
    ]


def test_what_one_asks_nobody_asks_again() -> None:
    dns = VirtualDns({("example.com", "A"): ["192.0.2.1"]}, {"udp": (4,)})
    waiting = [dns.begin("sip:example.com:5060") for _ in range(20)]
    dns.answer_all()
    assert waiting == [[[Candidate("192.0.2.1", 5060, "udp")]]] * 20
    assert len(dns.asked) == 1


def test_a_failed_candidate_is_tried_last_until_its_time_is_over() -> None:
    dns = VirtualDns({("example.com", "A"): ["192.0.2.1", "192.0.2.2"]}, {"udp": (4,)}, aside=30.0)
    first, second = dns.locate("sip:example.com:5060")
    dns.resolver.failed(first, dns.now)
    assert dns.locate("sip:example.com:5060") == [second, first]
    dns.pass_time(30.1)
    assert dns.locate("sip:example.com:5060") == [first, second]


def test_a_dead_domain_costs_its_time_limit_and_others_nothing() -> None:
    dns = VirtualDns({("good.test", "A"): ["192.0.2.1"]}, {"udp": (4,)}, time_limit=4.0)
    dns.dead = {"dead.test"}
    dead = dns.begin("sip:dead.test:5060")
    assert dns.locate("sip:good.test:5060") == [Candidate("192.0.2.1", 5060, "udp")]
    dns.pass_time(3.9)
    assert dead == []
    dns.pass_time(0.2)
    assert dead == [[]]
    assert dns.resolver.timeouts == 1


def test_the_servers_that_are_known_at_the_time_limit_are_tried() -> None:
    zone: Zone = {
        ("_sip._udp.example.com", "SRV"): [Srv(0, 0, 5060, "dead.test"), Srv(1, 0, 5060, "good.test")],
        ("good.test", "A"): ["192.0.2.1"],
    }
    dns = VirtualDns(zone, {"udp": (4,)})
    dns.dead = {"dead.test"}
    found = dns.begin("sip:example.com;transport=udp")
    dns.answer_all()
    dns.pass_time(4.1)
    assert found == [[Candidate("192.0.2.1", 5060, "udp")]]


def test_an_answer_after_the_time_limit_serves_the_next_call() -> None:
    dns = VirtualDns({("late.test", "A"): ["192.0.2.1"]}, {"udp": (4,)})
    dns.dead = {"late.test"}
    found = dns.begin("sip:late.test:5060")
    dns.answer_all()
    dns.pass_time(5)
    [question] = dns.open
    dns.answer(question, dns.look_up(question))
    assert found == [[]]
    assert dns.begin("sip:late.test:5060") == [[Candidate("192.0.2.1", 5060, "udp")]]


def test_a_failure_of_the_servers_ends_the_wait_at_once() -> None:
    dns = VirtualDns({}, {"udp": (4,)})
    found = dns.begin("sip:example.com:5060")
    dns.take()
    dns.answer(dns.open[0], Answer(Outcome.FAILED))
    assert found == [[]]


def test_a_failed_answer_to_naptr_and_srv_still_leads_to_the_address() -> None:
    dns = VirtualDns({("example.com", "A"): ["192.0.2.1"]}, {"udp": (4,)})
    found = dns.begin("sip:example.com")
    for _ in range(2):
        dns.take()
        dns.answer(dns.open[0], Answer(Outcome.FAILED))
    dns.answer_all()
    assert found == [[Candidate("192.0.2.1", 5060, "udp")]]


def test_questions_over_the_limit_fail_and_those_under_it_do_not() -> None:
    dns = VirtualDns({("a.test", "A"): ["192.0.2.1"]}, {"udp": (4,)}, max_questions=1)
    kept, over = dns.begin("sip:a.test:5060"), dns.begin("sip:b.test:5060")
    dns.pass_time(0.01)
    assert over == [[]]
    dns.answer_all()
    assert kept == [[Candidate("192.0.2.1", 5060, "udp")]]
    assert dns.resolver.refused == 1


def test_lookups_over_the_limit_get_what_is_known_at_once() -> None:
    dns = VirtualDns({}, {"udp": (4,)}, max_lookups=1)
    assert dns.begin("sip:a.test:5060") == []
    assert dns.begin("sip:b.test:5060") == [[]]
    dns.answer_all()
    assert dns.begin("sip:c.test:5060") == []


def test_an_answer_with_no_time_to_live_serves_the_lookup_that_asked() -> None:
    dns = VirtualDns(EXAMPLE, {"tcp": (4,)}, ttl=0.0)
    assert len(dns.locate("sip:bob@example.com")) == 2
