"""Sans-IO: phones that lost their connection with the master: what comes for them before they are back."""

from dataclasses import replace

import pytest

from sipcore.location.binding import Binding, Flag
from sipcore.message import Request, build_response, parse
from sipcore.proxy import Listener
from sipcore.transaction.reunion import MEMORY, PATIENCE
from sipcore.transport.layer import Hop, Send
from tests.kit.sip_messages import parsed_request, request
from tests.kit.sip_pair import SETTINGS, Node, SipPair
from tests.kit.sip_proxy import VIA, brief

LISTENERS = (
    Listener("192.0.2.100", 5060),
    Listener("192.0.2.100", 5060, "ws"),
    Listener("192.0.2.100", 5060, "tcp"),
)
CALLER, BOB = Hop("192.0.2.1", 5060), b"sip:bob@example.test"
OLD, NEW = Hop("192.0.2.2", 40001, 1, "ws", 71), Hop("192.0.2.2", 40002, 1, "ws", 72)
NEWEST = NEW._replace(port=40003, flow=73)


def register(
    node: Node, hop: Hop, now: float, *, uri: bytes = b"", instance: bytes = b"<urn:uuid:1>"
) -> None:
    uri = uri or b"sip:bob@xyz.invalid;transport=ws"
    binding = Binding(
        uri, call_id=b"r", cseq=1, expires_at=1e6, received=hop, instance=instance, flags=int(Flag.NAT)
    )
    node.location.save(BOB, binding, now)


class Bench:
    """Bob's phone is on a WebSocket; the master dies."""

    def __init__(self) -> None:
        self.pair = SipPair(replace(SETTINGS, listeners=LISTENERS, flow_key=b"k" * 16))
        self.node = self.pair.a
        register(self.pair.a, OLD, 0.0)
        self.pair.share(self.pair.a, 0.0)

    def take_over(self, now: float = 1.0) -> list[Send]:
        self.pair.die(now)
        self.pair.on_timer(now + self.pair.gap)
        self.node = self.pair.b
        return self.sent()

    def sent(self) -> list[Send]:
        sent, self.pair.outbox = self.pair.outbox + self.node.core.take(), []
        self.pair.outbox.clear()
        return sent

    def say(self, data: bytes, source: Hop = CALLER, now: float = 0.0) -> list[Send]:
        self.pair.feed(data, source, now)
        return self.sent()

    def unsent(self, send: Send, now: float) -> list[Send]:
        """No connection leads there."""
        self.node.core.on_transport_error(send.data, send.hop, now)
        return self.sent()

    def returns(self, hop: Hop = NEW, now: float = 1.5, **more: bytes) -> list[Send]:
        """The phone registers over a new connection."""
        register(self.node, hop, now, **more)
        self.pair.share(self.node, now)
        return self.sent()


@pytest.fixture
def bench() -> Bench:
    return Bench()


def words(sends: list[Send]) -> list[tuple[str, int]]:
    return [(brief([parse(send.data)])[0], send.hop.flow) for send in sends]


def test_a_call_for_a_phone_that_is_not_back_yet_rings_when_it_is(bench: Bench) -> None:
    bench.take_over()
    trying, invite = bench.say(request(b"INVITE", via=VIA), now=1.1)
    assert words([trying, invite]) == [("100", 0), ("INVITE", OLD.flow)]
    assert bench.unsent(invite, 1.1) == []
    (again,) = bench.returns()
    assert (again.data, again.hop) == (invite.data, NEW)


def test_a_phone_that_does_not_come_back_is_not_there(bench: Bench) -> None:
    bench.take_over()
    _, invite = bench.say(request(b"INVITE", via=VIA), now=1.1)
    bench.unsent(invite, 1.1)
    bench.pair.on_timer(1.05 + PATIENCE - 0.1)
    assert bench.sent() == []
    bench.pair.on_timer(1.2 + PATIENCE)
    assert words(bench.sent()) == [("480", 0)]
    (answer,) = bench.say(request(b"INVITE", via=VIA + b"2", call_id=b"late"), now=1.3 + PATIENCE)
    assert words([answer]) == [("480", 0)]


def test_a_bye_to_a_phone_that_is_not_back_yet_reaches_it(bench: Bench) -> None:
    invite = parsed_request(bench.say(request(b"INVITE", via=VIA), now=0.5)[-1].data)
    bench.say(build_response(invite, 200, to_tag=b"b", headers=routes(invite)), OLD, 0.6)
    bench.take_over()
    bye = request(b"BYE", b"sip:bob@xyz.invalid;transport=ws", via=VIA + b"b", to=b"<%b>;tag=b" % BOB, cseq=2,
                  headers=((b"Route", b", ".join(reversed(invite.values(b"record-route")))),))  # fmt: skip
    (there,) = bench.say(bye, now=1.1)
    assert (there.hop, bench.unsent(there, 1.1)) == (OLD, [])
    assert words(bench.returns()) == [("BYE", NEW.flow)]


def test_what_is_for_a_caller_behind_nat_goes_where_he_is_now_not_where_his_alias_says(bench: Bench) -> None:
    far, old = Hop("192.0.2.3", 5060), Hop("192.0.2.4", 40009, 2, "tcp", 81)
    for aor, contact, hop in ((b"dave", b"10.0.0.4", old), (b"carol", b"192.0.2.3", None)):
        binding = Binding(b"sip:%b@%b" % (aor, contact), call_id=aor, cseq=1, expires_at=1e6, received=hop)
        bench.pair.a.location.save(b"sip:%b@example.test" % aor, binding, 0.0)
    invite = parsed_request(
        bench.say(
            request(
                b"INVITE", b"sip:carol@example.test", via=b"SIP/2.0/TCP 10.0.0.4;rport;branch=z9hG4bKd",
                sender=b"<sip:dave@example.test>;tag=d",
                headers=((b"Contact", b"<sip:dave@10.0.0.4;transport=tcp>"),),
            ), old, 0.5,
        )[-1].data
    )  # fmt: skip
    (contact,) = invite.values(b"contact")
    assert contact == b"<sip:dave@10.0.0.4;transport=tcp;alias=192.0.2.4~40009~2>"
    bench.say(build_response(invite, 200, to_tag=b"c", headers=routes(invite)), far, 0.6)
    bench.take_over()
    route = ((b"Route", b", ".join(invite.values(b"record-route"))),)
    info, bye = (
        request(
            method, contact[1:-1], via=VIA + method, sender=b"<sip:carol@example.test>;tag=c",
            to=b"<sip:dave@example.test>;tag=d", cseq=cseq, headers=route,
        )
        for cseq, method in enumerate((b"INFO", b"BYE"), 2)
    )  # fmt: skip
    (there,) = bench.say(info, far, 1.1)
    assert (there.hop, bench.unsent(there, 1.1)) == (old, [])
    new = old._replace(port=40010, flow=82)
    bench.node.location.moved.move(old, new)
    assert (there.data, new) in [(send.data, send.hop) for send in bench.sent()]
    (later,) = bench.say(bye, far, 1.2)
    assert later.hop == new


def test_a_caller_who_is_not_back_yet_hears_that_it_rings_and_is_not_hung_up_on(bench: Bench) -> None:
    bench.pair.a.location.save(
        b"sip:carol@example.test", Binding(b"sip:carol@192.0.2.3", call_id=b"c", cseq=1, expires_at=1e6), 0.0
    )
    via = b"SIP/2.0/WS xyz.invalid;branch=z9hG4bKw"
    data = request(b"INVITE", b"sip:carol@example.test", via=via, sender=b"<%b>;tag=b" % BOB)
    invite = parsed_request(bench.say(data, OLD, 0.5)[-1].data)
    (ringing,) = bench.say(build_response(invite, 180, to_tag=b"c"), Hop("192.0.2.3", 5060), 0.6)
    assert words(bench.take_over()) == [("180", OLD.flow)]
    assert bench.unsent(ringing, 1.1) == []
    assert words(bench.returns()) == [("180", NEW.flow)]
    assert words(bench.say(build_response(invite, 486, to_tag=b"c"), Hop("192.0.2.3", 5060), 2.0))[1:] == [
        ("486", NEW.flow)
    ]


def test_what_was_said_over_a_connection_that_is_being_made_is_said_again_over_the_new_one(
    bench: Bench,
) -> None:
    bench.take_over()
    _, invite = bench.say(request(b"INVITE", via=VIA), now=1.1)
    bench.returns()
    (again,) = bench.unsent(invite, 7.0)
    assert again.hop == NEW


def test_a_phone_with_the_port_of_its_connection_in_its_contact_is_known_by_its_instance(
    bench: Bench,
) -> None:
    bench.take_over()
    _, invite = bench.say(request(b"INVITE", via=VIA), now=1.1)
    bench.unsent(invite, 1.1)
    (again,) = bench.returns(uri=b"sip:bob@192.0.2.2:40002;transport=ws")
    assert again.hop == NEW
    (there,) = bench.node.location.lookup(BOB, 2.0)
    assert there.received == NEW


@pytest.mark.parametrize(("uri", "known"), [(b"sip:bob@192.0.2.2:4", True), (b"sip:rob@192.0.2.2:4", False)])
def test_without_an_instance_it_is_known_by_the_user_of_its_contact(uri: bytes, known: bool) -> None:
    bench = Bench()
    register(bench.pair.a, OLD, 0.1, uri=b"sip:bob@192.0.2.2:40001", instance=b"")
    bench.pair.a.location.remove(BOB, b"sip:bob@xyz.invalid;transport=ws", call_id=b"r", cseq=2)
    bench.pair.share(bench.pair.a, 0.1)
    bench.take_over()
    bench.returns(uri=uri, instance=b"")
    assert (bench.node.location.moved.heir(OLD) == NEW) is known


def test_the_move_is_known_after_the_next_takeover(bench: Bench) -> None:
    first, second = bench.pair.a, bench.pair.b
    bench.pair.switch_over(1.0)
    bench.node = second
    bench.returns(NEW, 1.5)
    bench.pair.switch_over(3.0)
    bench.node = first
    assert first.location.moved.heir(OLD) == NEW
    bench.returns(NEWEST, 3.5)
    assert first.location.moved.heir(OLD) == NEWEST


def test_nothing_is_remembered_for_ever(bench: Bench) -> None:
    bench.take_over()
    bench.unsent(bench.say(request(b"INVITE", via=VIA), now=1.1)[-1], 1.1)
    bench.pair.on_timer(2.0 + MEMORY)
    assert not vars(bench.node.core.layer.reunion)["_of"]


def routes(invite: Request) -> tuple[tuple[bytes, bytes], ...]:
    lines = [(b"Record-Route", value) for value in invite.values(b"record-route")]
    return (*lines, (b"Contact", b"<sip:bob@xyz.invalid;transport=ws>"))
