"""Sans-IO: what a script does for phones behind NAT."""

from pathlib import Path

import pytest

from sipcore.message import Request, Response, build_response
from sipcore.transport.layer import Hop
from tests.kit.sip_messages import request
from tests.kit.sip_proxy import CALLER, VIA
from tests.kit.sip_script import ScriptBench

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.7\r\ns=-\r\nc=IN IP4 10.0.0.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
TYPE = (b"Content-Type", b"application/sdp")
SCRIPT = """
@request_route
async def main(call):
    call.values["fixed"] = str(await fix_nated_sdp(call{0}))
    await t_on_reply(call, "answer")
    await lookup(call)
    await relay(call)

@reply_route("answer")
async def answer(call):
    await fix_nated_sdp(call{1})
"""


def played(folder: Path, here: str, there: str, body: bytes = SDP) -> tuple[Request, Response]:
    """The INVITE as it reaches the callee, the 200 as it reaches the caller."""
    bench = ScriptBench(folder, SCRIPT.replace("{0}", here).replace("{1}", there))
    bench.register(b"bob", "192.0.2.2")
    invite = request(b"INVITE", b"sip:bob@example.test", via=VIA, headers=(TYPE,), body=body)
    sent = next(message for message in bench.say(invite, CALLER) if isinstance(message, Request))
    answer = build_response(sent, 200, to_tag=b"b", headers=(TYPE,), body=SDP)
    (heard,) = bench.say(answer, Hop("192.0.2.2", 5060))
    assert isinstance(heard, Response)
    return sent, heard


def test_the_address_that_a_request_came_from_takes_the_place_of_the_private_one(tmp_path: Path) -> None:
    sent, _ = played(tmp_path, "", ', "203.0.113.9"')
    assert b"c=IN IP4 192.0.2.1\r\n" in sent.body
    assert b"o=- 1 1 IN IP4 10.0.0.7\r\n" in sent.body
    assert sent.first(b"content-length") == b"%d" % len(sent.body)


def test_another_address_may_be_given_for_requests_and_replies(tmp_path: Path) -> None:
    sent, heard = played(tmp_path, ', "203.0.113.9", origin=True', ', "2001:db8::9"')
    assert b"o=- 1 1 IN IP4 203.0.113.9\r\n" in sent.body
    assert b"c=IN IP6 2001:db8::9\r\n" in heard.body


@pytest.mark.parametrize("address", ["", ', "media.example.test"'])
def test_what_is_no_address_changes_nothing_and_is_an_error_of_the_script(
    tmp_path: Path, address: str
) -> None:
    _, heard = played(tmp_path, "", address)
    assert heard.body == SDP


def test_a_body_that_cannot_be_read_goes_on_as_it_came(tmp_path: Path) -> None:
    sent, _ = played(tmp_path, "", ', "203.0.113.9"', body=b"v=0\r\nc=nonsense\r\n")
    assert sent.body == b"v=0\r\nc=nonsense\r\n"
