"""Who may send what: no open relay, challenges, schemes, limits."""

from dataclasses import replace

import pytest

from sipcore.auth.algorithm import Algorithm
from sipcore.auth.digest import DigestAuth, Pending, digest_response
from sipcore.auth.nonce import Nonces
from sipcore.message import Request, Response
from sipcore.proxy import ProxySettings
from sipcore.transport.layer import Hop
from tests.kit.sip_pair import SETTINGS
from tests.kit.sip_proxy import CALLER, VIA, Bench, brief, request

FOREIGN = b"sip:carol@192.0.2.50"
STRANGER = Hop("203.0.113.9", 5060)


def test_a_stranger_gets_no_relay_and_our_user_does() -> None:
    bench = Bench()
    bench.register(b"alice", CALLER.host)
    assert brief(bench.say(request(b"INVITE", FOREIGN, via=VIA), STRANGER)) == ["404"]
    assert brief(bench.say(request(b"INVITE", FOREIGN, via=VIA + b"2"), CALLER)) == ["100", "INVITE"]


def test_a_route_does_not_open_the_relay_either() -> None:
    bench = Bench()
    for routes in (b"<sip:192.0.2.100;lr>", b"<sip:192.0.2.100;lr>, <sip:198.51.100.1;lr>"):
        data = request(b"INVITE", FOREIGN, via=VIA + routes[-9:-5], headers=((b"Route", routes),))
        assert brief(bench.say(data, STRANGER)) == ["404"]


def test_a_to_tag_that_belongs_to_no_dialog_does_not_open_the_relay() -> None:
    bench = Bench()
    data = request(b"INVITE", FOREIGN, via=VIA, to=b"<sip:c@d>;tag=1")
    assert brief(bench.say(data, STRANGER)) == ["404"]


def test_the_relay_is_open_when_the_operator_says_so() -> None:
    bench = Bench(replace(SETTINGS, relay="any"))
    assert brief(bench.say(request(b"INVITE", FOREIGN, via=VIA), STRANGER)) == ["100", "INVITE"]


@pytest.mark.parametrize(
    ("settings", "uri", "expected"),
    [
        (SETTINGS, b"mailto:bob@example.test", ["416"]),
        (SETTINGS, b"sips:bob@example.test", ["416"]),
        (replace(SETTINGS, tel_users=False), b"tel:+43123", ["416"]),
        (SETTINGS, b"tel:+43123", ["480"]),
    ],
)
def test_a_scheme_that_we_cannot_serve_gets_416(
    settings: ProxySettings, uri: bytes, expected: list[str]
) -> None:
    assert brief(Bench(settings).invite(uri)) == expected


def test_above_the_limit_of_transactions_requests_get_503_with_retry_after() -> None:
    bench = Bench(replace(SETTINGS, max_transactions=2))
    bench.register(b"bob", "192.0.2.2")
    for number in range(2):
        assert "INVITE" in brief(bench.invite(via=VIA + b"%d" % number, call_id=b"%d" % number))
    (refused,) = bench.invite(via=VIA + b"x", call_id=b"x")
    assert isinstance(refused, Response)
    assert (refused.status, refused.first(b"retry-after")) == (503, b"5")
    assert brief(bench.say(request(b"CANCEL", via=VIA + b"0", call_id=b"0"))) == ["200", "487"]
    assert bench.core.counters["overloaded"] == 1


# Challenges, section 22.3


class Users:
    """alice with the password of nobody else; `slow`: the answer is still being looked for."""

    def __init__(self) -> None:
        self.slow: Pending | None = None

    def algorithms(self) -> tuple[Algorithm, ...]:
        return (Algorithm.MD5,)

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | Pending | None:
        return self.slow or (HA1 if user == b"alice" else None)


HA1 = b"ab" * 16
ASKING = replace(SETTINGS, authenticate=True)


def asking(users: Users) -> Bench:
    bench = Bench(ASKING, auth=DigestAuth(b"r", Nonces(b"secret"), users))
    bench.register(b"bob", "192.0.2.2")
    return bench


def with_credentials(challenge: Request | Response, via: bytes = VIA + b"2") -> bytes:
    """The INVITE again, as alice."""
    nonce = (challenge.first(b"proxy-authenticate") or b"").partition(b'nonce="')[2].partition(b'"')[0]
    given = {
        b"uri": b"sip:bob@example.test",
        b"nonce": nonce,
        b"qop": b"auth",
        b"nc": b"00000001",
        b"cnonce": b"c",
    }
    answer = digest_response(HA1, Algorithm.MD5, b"INVITE", given)
    line = b'Digest username="alice", realm="r", nonce="%b", uri="sip:bob@example.test", ' % nonce
    line += b'qop=auth, nc=00000001, cnonce="c", algorithm=MD5, response="%b"' % answer
    return request(b"INVITE", via=via, cseq=2, headers=((b"Proxy-Authorization", line),))


def test_our_users_are_challenged_and_let_through_with_the_right_answer() -> None:
    bench = asking(Users())
    (challenge,) = bench.invite()
    assert brief([challenge]) == ["407"]
    assert brief(bench.say(with_credentials(challenge))) == ["100", "INVITE"]


def test_who_is_not_ours_is_not_challenged_and_reaches_our_users_only() -> None:
    bench = asking(Users())
    sender = b"<sip:eve@elsewhere.test>;tag=e"
    assert brief(bench.say(request(b"INVITE", via=VIA, sender=sender))) == ["100", "INVITE"]
    assert brief(bench.say(request(b"INVITE", FOREIGN, via=VIA + b"2", sender=sender))) == ["404"]


def test_an_invite_waits_for_the_database_of_users_and_its_cancel_does_not() -> None:
    users = Users()
    bench = asking(users)
    data = with_credentials(bench.invite()[0])
    users.slow = Pending()
    assert brief(bench.say(data)) == ["100"]
    pending, users.slow = users.slow, None
    pending.resolve(bench.now)
    assert brief(bench.heard()) == ["INVITE"]
    users.slow = pending = Pending()
    again = with_credentials(bench.invite(via=VIA + b"3")[0], VIA + b"4")
    bench.say(again)
    assert brief(bench.say(request(b"CANCEL", via=VIA + b"4", cseq=2))) == ["200", "487"]
    users.slow = None
    pending.resolve(bench.now)
    assert bench.heard() == []
