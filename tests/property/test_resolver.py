"""The order of servers: the lot of RFC 2782 keeps all of them and follows the weights."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from sipcore.resolver.locate import Candidate
from sipcore.resolver.order import srv_order
from sipcore.resolver.records import Srv
from tests.kit.virtual_dns import VirtualDns

weights = st.integers(0, 65535)
records = st.lists(
    st.builds(
        Srv,
        st.integers(0, 3),
        weights,
        st.integers(1, 65535),
        st.sampled_from(["a.test", "b.test", "c.test"]),
    ),
    max_size=30,
)


@given(records, st.randoms(use_true_random=False))
def test_every_server_is_there_exactly_once_and_priorities_ascend(servers: list[Srv], lots: Random) -> None:
    ordered = srv_order(servers, lots.randint)
    assert sorted(ordered) == sorted(servers)
    assert [srv.priority for srv in ordered] == sorted(srv.priority for srv in servers)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(50, 1000), min_size=2, max_size=5), st.integers(0, 2**32))
def test_the_first_server_is_drawn_in_proportion_to_its_weight(loads: list[int], seed: int) -> None:
    lots = Random(seed)
    servers = [Srv(0, load, 5060 + index, "a.test") for index, load in enumerate(loads)]
    rounds = 3000
    firsts = Counter(srv_order(servers, lots.randint)[0].port for _ in range(rounds))
    for server in servers:
        expected = server.weight / sum(loads)
        deviation = (expected * (1 - expected) / rounds) ** 0.5
        assert abs(firsts[server.port] / rounds - expected) < 6 * deviation + 1 / sum(loads)


@given(
    st.dictionaries(st.sampled_from(["a.test", "b.test", "c.test", "d.test"]), weights, min_size=1),
    st.randoms(),
)
def test_candidates_are_the_addresses_of_all_servers(servers: dict[str, int], lots: Random) -> None:
    zone = {
        ("_sip._udp.example.com", "SRV"): [Srv(0, weight, 5060, name) for name, weight in servers.items()]
    }
    addresses = {name: f"192.0.2.{index}" for index, name in enumerate(servers, 1)}
    dns = VirtualDns(
        {**zone, **{(name, "A"): [ip] for name, ip in addresses.items()}}, {"udp": (4,)}, randint=lots.randint
    )
    found = dns.locate("sip:example.com;transport=udp")
    assert sorted(found) == sorted(Candidate(ip, 5060, "udp") for ip in addresses.values())
