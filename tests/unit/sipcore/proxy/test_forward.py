"""RFC 3261 section 16.6: the copy of a request, written in place or by edits: the same bytes."""

from itertools import permutations, product

import pytest

from sipcore.message import Request, parse
from sipcore.proxy import Call
from sipcore.proxy.branch import Branch
from sipcore.proxy.edits import Change, HeaderEdit
from sipcore.proxy.forking import Target
from sipcore.transport.layer import Hop
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import Bench

BOB = Hop("192.0.2.2", 5060)
OURS = SETTINGS.listeners[0]
ROUTE = f"Route: <sip:{OURS.host}:{OURS.port};lr>"
FIXED = ["From: <sip:alice@example.test>;tag=a", "To: <sip:bob@example.test>", "Call-ID: c", "CSeq: 1 INVITE"]
CASES = list(
    product(
        permutations(("Max-Forwards: 70", "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK-1", ROUTE)),
        ((), ("Record-Route: <sip:192.0.2.7;lr>", "Record-Route: <sip:192.0.2.8;lr>")),
        ("sip:bob@192.0.2.2:5060", "sip:bob@example.test"),
        (True, False),
    )
)


@pytest.mark.parametrize(("moved", "above", "target", "recorded"), CASES)
def test_the_copy_that_is_written_in_place_is_that_of_the_edits(
    moved: tuple[str, ...], above: tuple[str, ...], target: str, recorded: bool
) -> None:
    lines = [
        "INVITE sip:bob@example.test SIP/2.0",
        *moved[:2],
        *above,
        *FIXED,
        moved[2],
        "v: SIP/2.0/UDP 192.0.2.9",
    ]
    request = parse("\r\n".join((*lines, "Content-Length: 4", "", "body")).encode())
    assert isinstance(request, Request)
    proxy = Bench().core.proxy
    written = []
    for edits in ([], [HeaderEdit(Change.REMOVE, b"X-Not-There")]):
        call = Call(request, Hop("192.0.2.1", 5060), None, 0.0)
        assert proxy.loose_route(call)
        call.record_routed, call.edits = recorded, edits
        branch = Branch(None, Target(target.encode()))
        branch.id = b"z9hG4bK-2"
        written.append(proxy.sending.forwarder.write(call, branch, BOB))
    assert written[0] == written[1]
    copy = parse(written[0])
    assert (copy.max_forwards, copy.branch, copy.lines(b"route")) == (69, b"z9hG4bK-2", [])
