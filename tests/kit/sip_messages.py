"""Sans-IO: SIP messages for tests: an INVITE as phones send it, and builders with defaults."""

from collections.abc import Iterable

from sipcore.message import Request, Response, build_request, parse

Headers = Iterable[tuple[bytes, bytes]]

SDP = b"\r\n".join(
    (
        b"v=0",
        b"o=user1 53655765 2353687637 IN IP4 10.88.0.21",
        b"s=-",
        b"c=IN IP4 10.88.0.21",
        b"t=0 0",
        b"m=audio 6000 RTP/AVP 0 8 101",
        b"a=rtpmap:0 PCMU/8000",
        b"a=rtpmap:8 PCMA/8000",
        b"a=rtpmap:101 telephone-event/8000",
        b"a=fmtp:101 0-15",
        b"a=sendrecv",
        b"",
    )
)

_COMMON = (
    b'From: "Alice Liddell" <sip:alice@example.test>;tag=9fxced76sl-7719\r\n'
    b'To: "Bob" <sip:bob@example.test>%s\r\n'
    b"Call-ID: 3848276298220188511@10.88.0.21\r\n"
    b"CSeq: 1 INVITE\r\n"
    b"Contact: <sip:%s@10.88.0.21:5071;transport=udp>\r\n"
)
_ENTITY = b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s" % (len(SDP), SDP)

INVITE_880 = (
    b"INVITE sip:bob@example.test SIP/2.0\r\n"
    b"Via: SIP/2.0/UDP 10.88.0.21:5071;branch=z9hG4bK-524287-1---3a1c9d3d;rport\r\n"
    b"Max-Forwards: 70\r\n"
    + _COMMON
    % (b"", b"alice")
    + b"Allow: INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO\r\n"
    b"Supported: replaces, timer, outbound, path\r\n"
    b"User-Agent: Example Softphone 4.2.1 build 1117\r\n"
    b"Session-Expires: 1800\r\n" + _ENTITY
)
"""An INVITE of the size that facts and budgets speak of."""

OK_760 = (
    b"SIP/2.0 200 OK\r\n"
    b"Via: SIP/2.0/UDP 10.88.0.100:5060;branch=z9hG4bK0123456789abcdef\r\n"
    b"Via: SIP/2.0/UDP 10.88.0.21:5071;branch=z9hG4bK-524287-1---3a1c9d3d;rport=5071;received=10.88.0.21\r\n"
    b"Record-Route: <sip:10.88.0.100:5060;lr>\r\n" + _COMMON % (b";tag=a6c85cf", b"bob") + _ENTITY
)
"""Its answer, as it comes to the proxy."""


def request(
    method: bytes = b"OPTIONS",
    uri: bytes = b"sip:bob@example.test",
    *,
    via: bytes = b"SIP/2.0/UDP 127.0.0.1:5071;branch=z9hG4bK-test-1;rport",
    sender: bytes = b"<sip:alice@example.test>;tag=alice-1",
    to: bytes = b"<sip:bob@example.test>",
    call_id: bytes = b"call-1@127.0.0.1",
    cseq: int = 1,
    max_forwards: int = 70,
    headers: Headers = (),
    body: bytes = b"",
) -> bytes:
    """A request that lacks nothing."""
    vital = (
        (b"Via", via),
        (b"Max-Forwards", b"%d" % max_forwards),
        (b"From", sender),
        (b"To", to),
        (b"Call-ID", call_id),
        (b"CSeq", b"%d %b" % (cseq, method)),
    )
    return build_request(method, uri, headers=(*vital, *headers), body=body)


def parsed_request(data: bytes) -> Request:
    """Parse what must be a request."""
    message = parse(data)
    assert isinstance(message, Request)
    return message


def parsed_response(data: bytes) -> Response:
    """Parse what must be a response."""
    message = parse(data)
    assert isinstance(message, Response)
    return message
