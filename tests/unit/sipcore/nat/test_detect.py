"""Sans-IO: each test of nat_uac_test says yes to its NAT and no to a phone without one."""

import pytest

from sipcore.message import Request, parse
from sipcore.nat.detect import NatTest, is_private, nat_uac_test
from sipcore.transport.layer import Hop

PUBLIC = "198.51.100.7"


def invite(via: str = PUBLIC, contact: str = f"<sip:a@{PUBLIC}:5060>", sdp: str = PUBLIC) -> Request:
    body = f"v=0\r\no=- 1 1 IN IP4 {sdp}\r\ns=-\r\nc=IN IP4 {sdp}\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
    text = (
        "INVITE sip:b@example.test SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {via};branch=z9hG4bK1\r\n"
        "From: <sip:a@example.test>;tag=1\r\nTo: <sip:b@example.test>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n"
        f"Contact: {contact}\r\nContent-Type: application/sdp\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    request = parse(text.encode())
    assert isinstance(request, Request)
    return request


HERE = Hop(PUBLIC, 5060)
CASES = [
    (NatTest.PRIVATE_CONTACT, invite(contact="<sip:a@192.168.1.2>"), HERE),
    (NatTest.PRIVATE_CONTACT, invite(contact="<sip:a@[fd00::1]:5062>"), HERE),
    (NatTest.DIFF_IP_SRC_VIA, invite(via="10.0.0.1"), HERE),
    (NatTest.DIFF_IP_SRC_VIA, invite(via="phone.example.test"), HERE),
    (NatTest.PRIVATE_VIA, invite(via="172.31.255.1"), HERE),
    (NatTest.PRIVATE_SDP, invite(sdp="10.1.2.3"), HERE),
    (NatTest.DIFF_PORT_SRC_VIA, invite(), Hop(PUBLIC, 40000)),
    (NatTest.DIFF_IP_SRC_CONTACT, invite(contact="sip:a@203.0.113.5"), HERE),
    (NatTest.DIFF_PORT_SRC_CONTACT, invite(contact="<sip:a@198.51.100.7:5070>"), HERE),
    (NatTest.PRIVATE_VIA | NatTest.CARRIER_GRADE_NAT, invite(via="100.64.0.1"), HERE),
]


@pytest.mark.parametrize(("test", "request_", "source"), CASES, ids=lambda v: str(getattr(v, "name", "")))
def test_each_test_notices_its_nat_and_no_other(test: NatTest, request_: Request, source: Hop) -> None:
    assert nat_uac_test(request_, source, test)
    assert not nat_uac_test(invite(), HERE, NatTest(255))
    others = int(~test) & 255 & ~NatTest.CARRIER_GRADE_NAT
    if test in (NatTest.PRIVATE_SDP, NatTest.DIFF_PORT_SRC_CONTACT):
        assert not nat_uac_test(request_, source, others)


def test_over_a_connection_the_port_tells_nothing() -> None:
    source = Hop(PUBLIC, 40000, 0, "tcp", 7)
    assert not nat_uac_test(invite(), source, NatTest.DIFF_PORT_SRC_VIA | NatTest.DIFF_PORT_SRC_CONTACT)


def test_what_cannot_be_read_is_no_nat() -> None:
    odd = invite(contact="<sip:a@>", sdp="x y z")
    assert not nat_uac_test(odd, HERE, NatTest.PRIVATE_CONTACT | NatTest.PRIVATE_SDP)


@pytest.mark.parametrize("name", ["private-contact", "diff-ip-src-via", "carrier-grade-nat"])
def test_the_names_are_those_of_opensips(name: str) -> None:
    assert NatTest.of(name).name == name.replace("-", "_").upper()


def test_a_name_and_a_public_address_are_not_private() -> None:
    assert [is_private(h) for h in (b"10.example", b"8.8.8.8", b"172.32.0.1", b"100.64.0.1")] == [False] * 4
