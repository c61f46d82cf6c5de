"""Sans-IO: built messages have what the RFC asks for."""

from sipcore.message import build_ack, build_cancel, build_response
from tests.kit.sip_messages import INVITE_880, parsed_request, parsed_response, request


def test_a_response_copies_every_via_in_order_and_adds_the_tag_once() -> None:
    invite = parsed_request(request(b"INVITE", headers=[(b"v", b"SIP/2.0/UDP second;branch=z9hG4bK2")]))
    answer = parsed_response(build_response(invite, 180, to_tag=b"t1", headers=[(b"Contact", b"<sip:b@h>")]))
    assert (answer.status, answer.reason, answer.to_tag) == (180, b"Ringing", b"t1")
    assert answer.values(b"via") == invite.values(b"via")
    assert (answer.call_id, answer.cseq, answer.method) == (invite.call_id, 1, b"INVITE")
    in_dialog = parsed_request(request(b"BYE", to=b"<sip:b@h>;tag=old"))
    assert parsed_response(build_response(in_dialog, 200, to_tag=b"new")).to_tag == b"old"


def test_100_copies_timestamp_and_other_responses_do_not() -> None:
    invite = parsed_request(request(b"INVITE", headers=[(b"Timestamp", b"54")]))
    assert parsed_response(build_response(invite, 100)).first(b"timestamp") == b"54"
    assert parsed_response(build_response(invite, 200)).first(b"timestamp") is None


def test_an_unknown_status_has_a_phrase_too() -> None:
    assert parsed_response(build_response(parsed_request(INVITE_880), 499)).reason == b"Unknown"


def test_ack_has_the_to_of_the_response_and_the_rest_of_the_invite() -> None:
    invite = parsed_request(request(b"INVITE", cseq=7, headers=[(b"Route", b"<sip:p;lr>")]))
    ack = parsed_request(build_ack(invite, parsed_response(build_response(invite, 486, to_tag=b"t1"))))
    assert (ack.method, ack.uri, ack.cseq, ack.to_tag) == (b"ACK", invite.uri, 7, b"t1")
    assert (ack.top_via, ack.from_tag, ack.call_id) == (invite.top_via, invite.from_tag, invite.call_id)
    assert ack.values(b"route") == [b"<sip:p;lr>"]


def test_cancel_matches_the_invite_and_has_one_via() -> None:
    invite = parsed_request(request(b"INVITE", headers=[(b"Via", b"SIP/2.0/UDP second;branch=z9hG4bK2")]))
    cancel = parsed_request(build_cancel(invite))
    assert (cancel.method, cancel.uri, cancel.cseq, cancel.to_tag) == (b"CANCEL", invite.uri, 1, b"")
    assert cancel.values(b"via") == [bytes(invite.top_via)]
