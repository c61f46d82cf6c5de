"""Requests of our own: they have our Via, find their way, and their end is told once."""

from sipcore.message import Response, build_request, build_response
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import parsed_request
from tests.kit.sip_names import Names, udp
from tests.kit.sip_proxy import Bench, brief

BYE = build_request(
    b"BYE",
    b"sip:bob@192.0.2.2",
    headers=(
        (b"Max-Forwards", b"70"),
        (b"From", b"<sip:alice@example.test>;tag=1"),
        (b"To", b"<sip:bob@example.test>;tag=2"),
        (b"Call-ID", b"x"),
        (b"CSeq", b"2 BYE"),
    ),
)


class Told:
    """What `done` was called with."""

    def __init__(self) -> None:
        self.all: list[int] = []

    def done(self, status: int, response: Response | None, now: float) -> None:
        self.all.append(status)


def test_a_request_of_ours_gets_our_via_and_its_answer_is_told() -> None:
    bench, told = Bench(), Told()
    bench.core.proxy.originator.originate(BYE, b"sip:bob@192.0.2.2", 0.0, told.done)
    (send,) = bench.sends()
    sent = parsed_request(send.data)
    assert (send.hop.host, sent.top_via.sent_by) == ("192.0.2.2", b"192.0.2.100:5060")
    assert send.data.replace(b"Via: " + bytes(sent.top_via) + b"\r\n", b"") == BYE
    answer = build_response(sent, 200)
    bench.say(answer)
    bench.say(answer)
    assert told.all == [200]
    bench.run(6.0)
    assert bench.core.transaction_count == 0


def test_silence_is_told_as_408_and_a_transport_error_as_503() -> None:
    bench, told = Bench(), Told()
    originate = bench.core.proxy.originator.originate
    originate(BYE, b"", 0.0, told.done, Hop("192.0.2.2", 5060))
    bench.run(33.0)
    originate(BYE, b"sip:bob@192.0.2.2", bench.now, told.done)
    (send,) = bench.sends()
    bench.core.on_transport_error(send.data, send.hop, bench.now)
    assert told.all == [408, 503]


def test_the_next_address_is_tried_and_the_last_failure_told() -> None:
    names = Names(pbx_test=[udp("198.51.100.1"), udp("198.51.100.2")])
    bench, told = Bench(resolver=names), Told()
    originate = bench.core.proxy.originator.originate
    originate(BYE, b"sip:bob@pbx.test", 0.0, told.done)
    (first,) = bench.sends()
    assert brief(bench.say(build_response(parsed_request(first.data), 503))) == ["BYE"]
    originate(BYE, b"sip:bob@nowhere.test", 0.0, told.done)
    assert told.all == [503]
    assert names.bad == [udp("198.51.100.1")]
