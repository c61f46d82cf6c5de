"""Sans-IO: session descriptions: what is read, and that a rewrite touches nothing else."""

from pathlib import Path

import pytest

from sipcore.errors import ParseError
from sipcore.message import parse
from sipcore.message.sdp import MAX_LINES, MAX_MEDIA, Sdp, find, splice
from tests.kit.sip_messages import SDP

CONFORMANCE = Path(__file__).parents[3] / "conformance"
TWO_MEDIA = (
    b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.2/127\r\nt=0 0\r\na=group:BUNDLE 1\r\n"
    b"m=audio 49170/2 RTP/AVP 0 8\r\na=sendonly\r\nm=video 0 RTP/SAVPF 31\r\nc=IN IP6 2001:db8::1\r\n"
)


def test_session_and_media_are_read_with_their_places() -> None:
    sdp = Sdp.parse(TWO_MEDIA)
    audio, video = sdp.media
    assert (audio.kind, audio.port, audio.ports, audio.proto, audio.formats) == (
        b"audio",
        49170,
        2,
        b"RTP/AVP",
        (b"0", b"8"),
    )
    assert (audio.attributes, sdp.attributes) == ([b"sendonly"], [b"group:BUNDLE 1"])
    assert (sdp.host_of(audio), sdp.host_of(video)) == (b"10.0.0.2", b"2001:db8::1")
    assert TWO_MEDIA[audio.start : audio.end] == b"49170"
    assert [TWO_MEDIA[place.start : place.end] for place in sdp.connections()] == [
        b"IP4 10.0.0.2",
        b"IP6 2001:db8::1",
    ]


def test_another_address_changes_the_c_lines_and_nothing_else() -> None:
    assert Sdp.parse(SDP).with_address(b"192.0.2.9") == SDP.replace(
        b"c=IN IP4 10.88.0.21", b"c=IN IP4 192.0.2.9"
    )
    assert Sdp.parse(SDP).with_address(b"192.0.2.9", origin=True) == SDP.replace(
        b"IP4 10.88.0.21", b"IP4 192.0.2.9"
    )
    assert Sdp.parse(TWO_MEDIA).with_address(b"fd00::1") == TWO_MEDIA.replace(
        b"IP4 10.0.0.2/127", b"IP6 fd00::1/127"
    ).replace(b"IP6 2001:db8::1", b"IP6 fd00::1")


def test_an_address_on_hold_stays() -> None:
    held = SDP.replace(b"c=IN IP4 10.88.0.21", b"c=IN IP4 0.0.0.0")
    assert Sdp.parse(held).with_address(b"192.0.2.9") == held


def test_lines_that_end_with_lf_alone_are_read_and_kept() -> None:
    body = SDP.replace(b"\r\n", b"\n")
    assert Sdp.parse(body).with_address(b"192.0.2.9") == body.replace(
        b"c=IN IP4 10.88.0.21", b"c=IN IP4 192.0.2.9"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"v=1\r\n",
        SDP.replace(b"audio 6000", b"audio 66000"),
        SDP.replace(b"m=audio 6000", b"m=audio"),
        SDP.replace(b"c=IN IP4", b"c=IP4"),
        SDP + b"m=audio 1 RTP/AVP 0\r\n" * MAX_MEDIA,
        SDP + b"a=x\r\n" * MAX_LINES,
    ],
)
def test_what_is_no_session_description_is_refused(body: bytes) -> None:
    with pytest.raises(ParseError):
        Sdp.parse(body)


def test_the_description_is_found_in_a_multipart_body() -> None:
    part = b"Content-Type: application/sdp\r\n\r\n" + SDP
    body = b"--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x\r\n" + part + b"\r\n--x--\r\n"
    place = find(b'multipart/mixed; boundary="x"', body)
    assert place is not None
    assert body[slice(*place)] == SDP
    assert find(b"multipart/mixed;boundary=y", body) is None
    assert find(b"multipart/mixed", body) is None
    assert find(b"text/plain", SDP) is None
    assert find(b"application/SDP ;x=y", SDP) == (0, len(SDP))


def test_every_description_of_the_torture_messages_that_can_be_routed_is_read() -> None:
    bodies = []
    for name in ("rfc4475/data/wsinv.dat", "rfc5118/data/ipv6-in-sdp.dat", "rfc5118/data/mult-ip-in-sdp.dat"):
        message = parse((CONFORMANCE / name).read_bytes())
        bodies.append(Sdp.parse(message.body))
    assert [len(sdp.media) for sdp in bodies] == [2, 2, 2]


def test_a_splice_takes_changes_in_any_order() -> None:
    assert splice(b"abcdef", [(4, 5, b"E"), (0, 1, b"AA")]) == b"AAbcdEf"
