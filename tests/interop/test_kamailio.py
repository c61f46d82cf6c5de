"""Kamailio 5.6 before and behind the SIP core: registrations with Path, calls both ways, each transport."""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from haagent.lab.namespaces import Host
from tests.kit.capture import Capture
from tests.kit.certificates import Authority
from tests.kit.kamailio import Kamailio
from tests.kit.loopback import loopback
from tests.kit.party import Party, Proxy
from tests.kit.sip_live import CoreProcess

pytestmark = pytest.mark.interop
CORE, EDGE, OTHER = Proxy("127.0.0.1"), Proxy("127.0.0.5"), Proxy("127.0.0.5", domain="127.0.0.5")
PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}


class Peers(NamedTuple):
    """The core and Kamailio on one host, and what runs between them."""

    host: Host
    core: CoreProcess
    transport: str
    capture: Capture

    @property
    def kamailio(self) -> str:
        """Bob, a user of Kamailio's own."""
        return f"sip:bob@{EDGE.host}:{PORTS[self.transport]};transport={self.transport}"

    def at_rest(self) -> None:
        """No call is left, and nothing broke."""
        assert self.core.client.get("/v1/dialogs") == []
        assert self.core.counters()["failures"] == 0, self.core.log()


@pytest.fixture(scope="module", params=["udp", "tcp", "tls"])
def peers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Peers]:
    transport = request.param
    folder = tmp_path_factory.mktemp("kamailio")
    authority = Authority(folder)
    with (
        loopback("kamailio") as host,
        CoreProcess(
            folder, address=CORE.host, port=5060, more=authority.listeners(CORE.host), spawn=host.spawn
        ) as core,
        Kamailio(
            host,
            folder / "edge",
            address=EDGE.host,
            core=f"sip:{CORE.host}:{PORTS[transport]}",
            transport=transport,
            domain=EDGE.host,
            tls=authority,
        ),
        Capture(host, "lo") as capture,
    ):
        yield Peers(host, core, transport, capture)


def test_a_phone_behind_kamailio_registers_with_its_path(peers: Peers) -> None:
    with Party(peers.host, alice=EDGE) as party:
        party.register("alice")
        [contact] = peers.core.client.get("/v1/location?aor=alice@example.test")
        assert contact["path"] == [f"<sip:127.0.0.5:{PORTS[peers.transport]};transport={peers.transport};lr>"]


@pytest.mark.parametrize(("caller", "called"), [("alice", "bob"), ("bob", "alice")])
def test_a_call_between_a_phone_behind_kamailio_and_one_of_ours(
    peers: Peers, caller: str, called: str
) -> None:
    with Party(peers.host, alice=EDGE, bob=CORE) as party:
        party.register("alice")
        party.register("bob")
        party.call("1", caller, called)
        party.until(called, "ringing")
        party.until(caller, "progress")
        party.answer("1", called)
        party.until(caller, "answered")
        party.until(called, "established")
        party.bye("1", called, "callee")
        party.until(caller, "bye_received")
    peers.at_rest()


def test_the_caller_behind_kamailio_hangs_up(peers: Peers) -> None:
    with Party(peers.host, alice=EDGE, bob=CORE) as party:
        party.register("bob")
        party.call("1", "alice", "bob")
        party.until("bob", "ringing")
        party.answer("1", "bob")
        party.until("alice", "answered")
        party.bye("1", "alice", "caller")
        party.until("bob", "bye_received")
    peers.at_rest()


def test_one_of_two_phones_answers_and_the_other_is_cancelled(peers: Peers) -> None:
    with Party(peers.host, alice=CORE, carol=CORE, carol_behind=EDGE) as party:
        party.register("carol")
        party.register("carol_behind")
        party.call("1", "alice", "carol")
        party.until("carol", "ringing")
        party.until("carol_behind", "ringing")
        party.answer("1", "carol_behind")
        party.until("alice", "answered")
        party.until("carol", "cancelled")
        party.bye("1", "alice", "caller")
        party.until("carol_behind", "bye_received")
    peers.at_rest()


@pytest.mark.parametrize(("caller", "called"), [("alice", "dave"), ("dave", "alice")])
def test_a_cancel_goes_through_both(peers: Peers, caller: str, called: str) -> None:
    with Party(peers.host, alice=EDGE, dave=CORE) as party:
        party.register("alice")
        party.register("dave")
        party.call("1", caller, called)
        party.until(called, "ringing")
        party.until(caller, "progress")
        party.cancel("1", caller)
        party.until(called, "cancelled")
        assert party.until(caller, "failed")["status"] == 487
    peers.at_rest()


def test_a_user_of_kamailio_is_called_from_ours_and_hangs_up(peers: Peers) -> None:
    with Party(peers.host, bob=OTHER, alice=CORE) as party:
        party.register("bob")
        party.register("alice")
        party.call("1", "alice", peers.kamailio)
        party.until("bob", "ringing")
        party.answer("1", "bob")
        party.until("alice", "answered")
        party.bye("1", "bob", "callee")
        party.until("alice", "bye_received")
    peers.at_rest()


# The last ones look at what the others have put on the wire.


def test_between_the_two_runs_this_transport_alone(peers: Peers) -> None:
    between = f"ip.addr == {CORE.host} && ip.addr == {EDGE.host} && !icmp"
    seen = {tuple(row) for row in peers.capture.decode(between, "ip.proto")}
    assert seen == {("17",) if peers.transport == "udp" else ("6",)}


def test_both_record_their_routes_twice_where_the_transport_changes(peers: Peers) -> None:
    answers = f"udp && sip.Status-Code == 200 && sip.CSeq.method == INVITE && !(ip.dst == {EDGE.host})"
    rows = peers.capture.decode(f"{answers} && !(ip.dst == {CORE.host})", "sip.Record-Route")
    routes = {routes.count(";lr") for [routes] in rows}
    assert routes == {2 if peers.transport == "udp" else 4}


def test_tshark_finds_nothing_wrong_with_what_was_sent(peers: Peers) -> None:
    assert len(peers.capture.decode("sip.Method == INVITE", "sip.Call-ID")) > 10
    assert peers.capture.sip_faults() == []
