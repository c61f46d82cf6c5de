"""Sans-IO: received, rport and where responses go."""

import msgspec
import pytest

from sipcore.errors import ParseError
from sipcore.message import Request, Via, parse
from sipcore.transaction.layer import reply_hop
from sipcore.transport.layer import Hop, may_answer, receive_fixup, response_hop
from tests.kit.sip_messages import parsed_request, request

SOURCE = Hop("10.0.0.1", 4444, listener=2)


def fixed(via: bytes) -> bytes | None:
    return receive_fixup(parsed_request(request(via=via)), SOURCE)


def test_received_is_added_only_where_sent_by_differs_from_the_source() -> None:
    assert fixed(b"SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1") is None
    assert (
        fixed(b"SIP/2.0/UDP host.test;branch=z9hG4bK1")
        == b"SIP/2.0/UDP host.test;branch=z9hG4bK1;received=10.0.0.1"
    )


def test_rport_is_filled_in_and_received_goes_with_it() -> None:
    via = fixed(b"SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK1")
    assert via == b"SIP/2.0/UDP 10.0.0.1:5060;rport=4444;branch=z9hG4bK1;received=10.0.0.1"


def test_a_received_that_the_sender_made_up_is_not_believed() -> None:
    assert (
        fixed(b"SIP/2.0/UDP 10.0.0.1;received=192.0.2.9;branch=z9hG4bK1")
        == b"SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"
    )
    assert b"received=10.0.0.1" in (fixed(b"SIP/2.0/UDP x;received=192.0.2.9;branch=z9hG4bK1") or b"")


def test_a_via_that_could_not_be_read_stays_as_it_is() -> None:
    with pytest.raises(ParseError, match="Bad Via") as caught:
        parse(request(via=b"SIP/2.0/UDP ;;;"))
    assert isinstance(caught.value.partial, Request)
    assert receive_fixup(caught.value.partial, SOURCE) is None


@pytest.mark.parametrize(
    ("via", "host", "port"),
    [
        (b"SIP/2.0/UDP 10.0.0.5", "10.0.0.5", 5060),
        (b"SIP/2.0/UDP 10.0.0.5:5070", "10.0.0.5", 5070),
        (b"SIP/2.0/UDP x:5070;received=10.0.0.5", "10.0.0.5", 5070),
        (b"SIP/2.0/UDP x:5070;received=10.0.0.5;rport=99", "10.0.0.5", 99),
        (b"SIP/2.0/UDP x:5070;maddr=10.0.0.7;received=10.0.0.5;rport=99", "10.0.0.5", 99),
        (b"SIP/2.0/UDP [2001:db8::1]:5070", "2001:db8::1", 5070),
        (b"SIP/2.0/UDP x;received=[2001:db8::1]", "2001:db8::1", 5060),
    ],
)
def test_a_response_goes_where_section_18_2_2_says(via: bytes, host: str, port: int) -> None:
    assert response_hop(Via.parse(via), 3) == Hop(host, port, 3, "udp")


@pytest.mark.parametrize(
    "host",
    [
        "255.255.255.255",
        "224.0.1.75",
        "0.0.0.0",
        "240.0.0.1",
        "::",
        "ff02::1",
        "::ffff:224.0.0.1",
        "host.test",
        "",
        "10.0.0",
    ],
)
def test_nothing_is_sent_to_an_address_that_is_not_one_host_s(host: str) -> None:
    assert not may_answer(Hop(host, 5060))


def test_a_host_with_a_real_port_may_be_answered() -> None:
    assert may_answer(Hop("10.0.0.1", 5060))
    assert may_answer(Hop("2001:db8::1", 65535))
    assert not may_answer(Hop("10.0.0.1", 0))
    assert not may_answer(Hop("10.0.0.1", 65536))


def test_a_response_goes_back_over_the_connection_and_else_to_the_port_of_sent_by() -> None:
    source = Hop("10.0.0.1", 40123, 2, "tcp", flow=7)
    via = b"SIP/2.0/TCP phone.test:5070;rport;maddr=10.9.9.9;branch=z9hG4bK1"
    assert reply_hop(parsed_request(request(via=via)), source) == Hop("10.0.0.1", 5070, 2, "tcp", 7)
    via = b"SIP/2.0/TLS phone.test;branch=z9hG4bK1"
    source = source._replace(transport="tls")
    assert reply_hop(parsed_request(request(via=via)), source).port == 5061


def test_a_hop_of_a_record_that_knew_no_connections_is_still_read() -> None:
    old = msgspec.msgpack.encode(["10.0.0.1", 5060, 0, "udp"])
    assert msgspec.msgpack.decode(old, type=Hop) == Hop("10.0.0.1", 5060)
