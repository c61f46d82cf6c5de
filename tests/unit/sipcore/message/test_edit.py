"""Sans-IO: edits leave what they do not touch byte for byte."""

from sipcore.message import Edit, parse
from tests.kit.sip_messages import INVITE_880, OK_760, parsed_request, request


def test_a_forwarded_request_differs_in_the_touched_lines_only() -> None:
    edit = Edit(parse(INVITE_880))
    edit.insert_first(b"Record-Route", b"<sip:p;lr>")
    edit.insert_first(b"Via", b"SIP/2.0/UDP p;branch=z9hG4bKx")
    edit.replace(b"Max-Forwards", b"69")
    edit.request_uri(b"sip:bob@10.0.0.9")
    expected = INVITE_880.replace(b"sip:bob@example.test SIP", b"sip:bob@10.0.0.9 SIP", 1)
    expected = expected.replace(b"Forwards: 70", b"Forwards: 69")
    expected = expected.replace(
        b"\r\nVia", b"\r\nRecord-Route: <sip:p;lr>\r\nVia: SIP/2.0/UDP p;branch=z9hG4bKx\r\nVia", 1
    )
    assert edit.build() == expected


def test_edits_of_the_same_header_build_on_each_other() -> None:
    edit = Edit(parse(request()))
    edit.insert_first(b"Route", b"<sip:two>")
    edit.insert_first(b"Route", b"<sip:one>")
    edit.request_uri(b"sip:new")
    assert parsed_request(edit.build()).values(b"route") == [b"<sip:one>", b"<sip:two>"]
    edit.remove_first_value(b"Route")
    assert parsed_request(edit.build()).values(b"route") == [b"<sip:two>"]
    edit.replace_first_value(b"Route", b"<sip:three>")
    edit.append(b"Route", b"<sip:four>")
    found = parsed_request(edit.build())
    assert (found.uri, found.values(b"route")) == (b"sip:new", [b"<sip:three>", b"<sip:four>"])
    edit.remove(b"route")
    assert parsed_request(edit.build()).values(b"route") == []


def test_the_first_of_several_values_in_a_line_is_cut_or_replaced_alone() -> None:
    data = request(via=b'SIP/2.0/UDP a;branch=z9hG4bK1 , SIP/2.0/UDP b;x="1,2";branch=z9hG4bK2')
    edit = Edit(parse(data))
    edit.replace_first_value(b"v", b"SIP/2.0/UDP c")
    assert b'Via: SIP/2.0/UDP c, SIP/2.0/UDP b;x="1,2";branch=z9hG4bK2\r\n' in edit.build()
    edit.remove_first_value(b"Via")
    assert b'Via: SIP/2.0/UDP b;x="1,2";branch=z9hG4bK2\r\n' in edit.build()


def test_our_via_is_cut_from_a_response() -> None:
    edit = Edit(parse(OK_760))
    edit.remove_first_value(b"Via")
    head, _, tail = OK_760.partition(b"Via: ")
    assert edit.build() == head + tail.partition(b"\r\n")[2]


def test_another_body_brings_its_type_and_length() -> None:
    edit = Edit(parse(INVITE_880))
    edit.body(b"text/plain", b"hello")
    found = parsed_request(edit.build())
    assert (found.body, found.first(b"content-type"), found.first(b"content-length")) == (
        b"hello",
        b"text/plain",
        b"5",
    )


def test_the_top_via_is_put_in_place_with_the_values_beside_it_kept() -> None:
    invite = parsed_request(
        request(via=b"SIP/2.0/UDP a;rport;branch=z9hG4bK1, SIP/2.0/UDP b;branch=z9hG4bK2")
    )
    invite.top_via.params[b"received"] = b"10.0.0.1"
    invite.put_top_via(invite.top_via)
    again = parsed_request(invite.raw)
    assert again.top_via == invite.top_via
    assert again.values(b"via")[1] == b"SIP/2.0/UDP b;branch=z9hG4bK2"


def test_cutting_the_first_of_plain_values_leaves_the_others() -> None:
    edit = Edit(parse(request(headers=[(b"Supported", b"path, timer")])))
    edit.remove_first_value(b"Supported")
    assert parsed_request(edit.build()).values(b"supported") == [b"timer"]
