"""Sans-IO: what is over a limit is refused with its status, answered if it can be, and counted."""

from collections.abc import Iterator

import pytest

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Request, Uri, Via, build_response, parse
from sipcore.message.limits import LIMITS, configure, exceeded
from tests.kit.sip_messages import parsed_request, request

VIA = b"SIP/2.0/UDP h;branch=z9hG4bK1"
ROUTE = b"<sip:h;lr>"


@pytest.fixture(autouse=True)
def small_limits() -> Iterator[None]:
    configure(
        message_bytes=4000,
        header_bytes=3000,
        header_lines=40,
        vias=10,
        record_routes=9,
        uri_bytes=200,
        values=8,
    )
    yield
    configure()


TOO_MUCH = [
    ("message_bytes", 513, request(body=b"x" * 4000)),
    ("header_bytes", 513, request(headers=[(b"Subject", b"x" * 3000)])),
    ("header_lines", 400, request(headers=[(b"X", b"y")] * 40)),
    ("vias", 400, request(headers=[(b"Via", VIA)] * 10)),
    ("vias", 400, request(headers=[(b"v", b", ".join([VIA] * 10))])),
    ("record_routes", 400, request(headers=[(b"Record-Route", ROUTE)] * 10)),
    ("record_routes", 400, request(headers=[(b"Record-Route", b",".join([ROUTE] * 10))])),
    ("uri_bytes", 414, request(uri=b"sip:" + b"x" * 200 + b"@h")),
]


@pytest.mark.parametrize(("limit", "status", "data"), TOO_MUCH)
def test_a_message_over_a_limit_is_refused_answered_and_counted(limit: str, status: int, data: bytes) -> None:
    before = exceeded[limit]
    with pytest.raises(ParseError) as caught:
        parse(data)
    assert (caught.value.status, exceeded[limit]) == (status, before + 1)
    assert str(getattr(LIMITS, limit)) in caught.value.reason
    partial = caught.value.partial
    assert isinstance(partial, Request)
    assert partial.branch == b"z9hG4bK-test-1"
    assert build_response(partial, status, to_tag=b"t").startswith(b"SIP/2.0 %d " % status)


def test_a_message_at_every_limit_passes() -> None:
    at_limit = request(
        uri=b"sip:" + b"x" * 194 + b"@h",
        headers=[(b"Via", VIA)] * 9 + [(b"Record-Route", b",".join([ROUTE] * 8)), (b"Record-Route", ROUTE)],
    )
    assert len(parsed_request(at_limit).values(b"via")) == 10


def test_values_and_parameters_over_the_limit_are_refused_where_they_are_read() -> None:
    message = parsed_request(request(headers=[(b"Contact", b", ".join([ROUTE] * 9))]))
    before = dict(exceeded)
    with pytest.raises(ParseError, match="8 values"):
        message.values(b"contact")
    many = b";a=b" * (LIMITS.params + 1)
    for read in (
        lambda: NameAddr.parse(b"<sip:h>" + many),
        lambda: NameAddr.parse(b'<sip:h>;q="x"' + many),
        lambda: Uri.parse(b"sip:h" + many),
        lambda: Via.parse(VIA + many),
        lambda: Via.parse(VIA + b" " + many),
    ):
        with pytest.raises(ParseError, match="64 parameters"):
            read()
    assert (exceeded["values"], exceeded["params"]) == (before["values"] + 1, before["params"] + 5)
    assert len(NameAddr.parse(b"<sip:h>" + b";a=b" * LIMITS.params).params) == 1


def test_a_response_over_a_limit_is_dropped() -> None:
    with pytest.raises(ParseError) as caught:
        parse(build_response(parsed_request(request()), 200, headers=[(b"Via", VIA)] * 10))
    assert caught.value.partial is None
