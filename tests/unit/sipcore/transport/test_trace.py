"""The message tap: who sees what, which messages a filter wants, what is covered."""

import pytest

from sipcore.transport.layer import Hop, Send
from sipcore.transport.trace import SAMPLES, Filter, Seen, Tap, redacted
from tests.kit.sip_messages import INVITE_880, OK_760, parsed_request

CALLER = Hop("10.88.0.7", 5071)
OURS = ("10.88.0.100", 5060)


def seen(data: bytes = INVITE_880, hop: Hop = CALLER, *, incoming: bool = True) -> Seen:
    return Seen(data, hop, local=OURS, incoming=incoming, at=1000.0)


class Eye:
    def __init__(self, *, breaks: bool = False) -> None:
        self.saw: list[Seen] = []
        self.breaks = breaks

    def see(self, seen: Seen) -> None:
        self.saw.append(seen)
        if self.breaks:
            raise ValueError("blind")


def tap(*watchers: Eye) -> tuple[Tap, list[Exception]]:
    errors: list[Exception] = []
    made = Tap([OURS], 500.0, errors.append)
    made.watchers += watchers
    return made, errors


def test_a_watcher_sees_what_came_and_what_left_with_both_ends_and_the_time_of_day() -> None:
    eye = Eye()
    made, _ = tap(eye)
    made.received([(INVITE_880, CALLER)], 10.0)
    made.sent([Send(OK_760, CALLER)], 11.0)
    assert [(s.data, s.hop, s.local, s.incoming, s.at) for s in eye.saw] == [
        (INVITE_880, CALLER, OURS, True, 510.0),
        (OK_760, CALLER, OURS, False, 511.0),
    ]


def test_a_watcher_that_breaks_is_taken_off_and_the_others_go_on() -> None:
    broken, good = Eye(breaks=True), Eye()
    made, errors = tap(broken, good)
    made.received([(INVITE_880, CALLER), (INVITE_880, CALLER)], 10.0)
    assert (len(broken.saw), len(good.saw), len(errors)) == (1, 2, 1)


def wants(wanted: Filter, one: Seen) -> bool:
    return wanted.may_match(one) and wanted.matches(one)


INVITE = parsed_request(INVITE_880)


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        (Filter(), True),
        (Filter(method=b"INVITE"), True),
        (Filter(method=b"BYE"), False),
        (Filter(method=b"ACK"), False),  # the Allow header names it
        (Filter(call_id=INVITE.call_id), True),
        (Filter(call_id=INVITE.call_id[:-1]), False),
        (Filter(user=b"bob"), True),
        (Filter(user=b"alice"), True),
        (Filter(from_user=b"alice"), True),
        (Filter(from_user=b"bob"), False),
        (Filter(to_user=b"bob"), True),
        (Filter(to_user=b"alice"), False),
        (Filter(ip="10.88.0.7"), True),
        (Filter(ip="10.88.0.8"), False),
        (Filter(kind="requests"), True),
        (Filter(kind="responses"), False),
        (Filter(method=b"INVITE", user=b"carol"), False),
    ],
)
def test_a_filter_wants_a_request_when_each_part_of_it_does(wanted: Filter, is_wanted: bool) -> None:
    assert wants(wanted, seen()) is is_wanted


def test_a_response_has_the_method_of_its_cseq() -> None:
    assert wants(Filter(method=b"INVITE", kind="responses"), seen(OK_760))
    assert not wants(Filter(kind="requests"), seen(OK_760))


def test_what_is_not_sip_is_shown_unless_a_method_or_a_user_is_wanted() -> None:
    assert wants(Filter(), seen(b"INVITE rubbish bob"))
    assert not wants(Filter(method=b"INVITE"), seen(b"INVITE rubbish bob"))
    assert not wants(Filter(user=b"bob"), seen(b"INVITE rubbish bob"))


def test_a_sample_takes_about_its_part_of_the_calls_and_each_of_them_whole() -> None:
    wanted = Filter(sample=SAMPLES // 10)
    names = [b"call-%d@example.test" % number for number in range(2000)]
    taken = [name for name in names if wants(wanted, seen(INVITE_880.replace(INVITE.call_id, name)))]
    assert 120 < len(taken) < 280
    other = [name for name in names if wants(wanted, seen(b"BYE x\r\ni: " + name + b"\r\n\r\n"))]
    assert other == taken


CREDENTIALS = b"""\
REGISTER sip:example.test SIP/2.0
Authorization: Digest username="bob", realm="r", nonce="c0ffee",
 uri="sip:example.test", response="beef", cnonce="0a4f", nc=00000001, qop=auth
Subject: nonce="x"

""".replace(b"\n", b"\r\n")


def test_answers_and_nonces_of_digest_are_covered_with_as_many_asterisks() -> None:
    covered = redacted(CREDENTIALS)
    assert len(covered) == len(CREDENTIALS)
    for secret in (b"c0ffee", b"beef", b"0a4f"):
        assert secret not in covered
    assert b'username="bob"' in covered
    assert b"nc=00000001" in covered
    assert b'Subject: nonce="x"' in covered


@pytest.mark.parametrize(
    ("line", "covered"),
    [
        (
            b'WWW-Authenticate: Digest realm="r", nonce="abc"',
            b'WWW-Authenticate: Digest realm="r", nonce="***"',
        ),
        (b"proxy-authenticate : Digest nonce=abc", b"proxy-authenticate : Digest nonce=***"),
        (b'Authentication-Info: nextnonce="abc"', b'Authentication-Info: nextnonce="***"'),
        (b"Authorization: Bearer abc.def", b"Authorization: Bearer *******"),
        (b"Proxy-Authorization: Basic dTpw", b"Proxy-Authorization: Basic ****"),
        (b"User-Agent: response=abc", b"User-Agent: response=abc"),
    ],
)
def test_a_line_is_covered_by_its_header_and_scheme(line: bytes, covered: bytes) -> None:
    message = b"BYE sip:a SIP/2.0\r\n%b\r\nCSeq: 1 BYE\r\n\r\n"
    assert redacted(message % line) == message % covered


def test_keys_of_the_media_are_covered() -> None:
    body = b"v=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0Rm\r\na=ice-pwd:asd88fgp\r\na=sendrecv\r\n"
    covered = redacted(b"INVITE x\r\n\r\n" + body)
    assert b"d0Rm" not in covered
    assert b"asd8" not in covered
    assert covered.endswith(b"a=sendrecv\r\n")


def test_a_message_without_secrets_stays_as_it_is() -> None:
    assert redacted(INVITE_880) == INVITE_880
