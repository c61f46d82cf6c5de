"""Sans-IO: challenge and check; what hostile credentials do; who fails is counted."""

import sys
from hashlib import md5
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipcore.auth.algorithm import HASHES, NAMES, SHA_512_256
from sipcore.auth.digest import (
    Algorithm,
    CredentialsUnavailableError,
    DigestAuth,
    DigestSettings,
    Pending,
    Verdict,
    _read_carefully,
    _read_usual,
    digest_response,
    parse_credentials,
)
from sipcore.auth.failures import AuthFailure, Failures
from sipcore.auth.nonce import Nonces
from sipcore.bus import Event
from sipcore.errors import ParseError
from sipcore.transport.layer import Hop

NONCES = Nonces(b"secret")
SIZES = (16, 32, 32)


class Users:
    """alice, and each look-up that was made."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, Algorithm]] = []

    def algorithms(self) -> tuple[Algorithm, ...]:
        return (Algorithm.SHA_256, Algorithm.MD5)

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | Pending | None:
        self.asked.append((user, algorithm))
        return b"ab" * SIZES[algorithm] if user == b"alice" else None


class Asked:
    """A request with these Authorization lines."""

    def __init__(self, *lines: bytes, uri: bytes = b"sip:r", body: bytes = b"") -> None:
        self.method = b"REGISTER"
        self.uri = uri
        self.body = body
        self._lines = list(lines)

    def lines(self, name: bytes) -> list[bytes]:
        return self._lines if name == b"authorization" else []


AUTH = DigestAuth(b"r", NONCES, Users())


def line(
    algorithm: Algorithm,
    *,
    qop: bool = True,
    user: bytes = b"alice",
    realm: bytes = b"r",
    ha1: bytes | None = None,
    nonce: bytes | None = None,
    count: int = 1,
    body: bytes | None = None,
) -> bytes:
    given = {b"uri": b"sip:r", b"nonce": nonce or NONCES.issue(5.0)}
    if qop:
        given |= {b"nc": b"%08x" % count, b"cnonce": b"c", b"qop": b"auth" if body is None else b"auth-int"}
    ha1 = ha1 or b"ab" * SIZES[algorithm]
    given |= {
        b"response": digest_response(ha1, algorithm, b"REGISTER", given, body or b""),
        b"username": user,
        b"realm": realm,
    }
    return b"Digest algorithm=%s, " % NAMES[algorithm] + b", ".join(
        b'%s="%s"' % pair for pair in given.items()
    )


@pytest.mark.parametrize("algorithm", list(HASHES))
@pytest.mark.parametrize("qop", [True, False])
def test_each_algorithm_with_and_without_qop_is_accepted(algorithm: Algorithm, qop: bool) -> None:
    assert AUTH.check(Asked(line(algorithm, qop=qop)), 5.0) == Verdict(b"alice")


def test_the_challenges_come_in_the_order_of_the_credentials_with_one_nonce() -> None:
    verdict = AUTH.check(Asked(), 5.0)
    assert verdict.status == 401
    found = [parse_credentials(value) for _, value in verdict.headers]
    assert [params[b"algorithm"] for params in found if params] == [b"SHA-256", b"MD5"]
    assert len({params[b"nonce"] for params in found if params}) == 1
    proxied = AUTH.check(Asked(), 5.0, proxy=True)
    assert (proxied.status, proxied.headers[0][0]) == (407, b"Proxy-Authenticate")


def test_a_replay_is_stale_and_the_next_count_is_good() -> None:
    nonce = NONCES.issue(5.0)
    first = line(Algorithm.MD5, nonce=nonce)
    assert AUTH.check(Asked(first), 5.0).user == b"alice"
    again = AUTH.check(Asked(first), 5.0)
    assert again.user is None
    assert b"stale=true" in again.headers[0][1]
    assert AUTH.check(Asked(line(Algorithm.MD5, nonce=nonce, count=2)), 5.0).user == b"alice"


def test_without_qop_a_nonce_is_good_once() -> None:
    old = line(Algorithm.MD5, qop=False)
    assert AUTH.check(Asked(old), 5.0).user == b"alice"
    assert b"stale=true" in AUTH.check(Asked(old), 5.0).headers[0][1]


def test_a_wrong_answer_uses_no_count_up() -> None:
    nonce = NONCES.issue(5.0)
    wrong = line(Algorithm.MD5, nonce=nonce, ha1=b"cd" * 16)
    assert b"stale" not in AUTH.check(Asked(wrong), 5.0).headers[0][1]
    assert AUTH.check(Asked(line(Algorithm.MD5, nonce=nonce)), 5.0).user == b"alice"


def test_auth_int_is_offered_by_option_and_covers_the_body() -> None:
    auth = DigestAuth(b"r", NONCES, Users(), settings=DigestSettings(auth_int=True))
    assert b'qop="auth,auth-int"' in auth.challenge(5.0)[0][1]
    signed = line(Algorithm.MD5, body=b"v=0")
    assert auth.check(Asked(signed, body=b"v=1"), 5.0).user is None
    assert auth.check(Asked(signed, body=b"v=0"), 5.0).user == b"alice"
    with pytest.raises(ParseError):
        AUTH.check(Asked(signed, body=b"v=0"), 5.0)


def test_by_option_the_uri_must_be_that_of_the_request() -> None:
    auth = DigestAuth(b"r", NONCES, Users(), settings=DigestSettings(check_uri=True))
    assert auth.check(Asked(line(Algorithm.MD5)), 5.0).user == b"alice"
    with pytest.raises(ParseError):
        auth.check(Asked(line(Algorithm.MD5), uri=b"sip:elsewhere"), 5.0)
    assert AUTH.check(Asked(line(Algorithm.MD5), uri=b"sip:elsewhere"), 5.0).user == b"alice"


def test_while_the_database_is_asked_the_verdict_waits_and_nothing_is_used_up() -> None:
    pending = Pending()

    class Slow(Users):
        def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | Pending | None:
            return pending if not self.asked else super().ha1(user, algorithm)

    users = Slow()
    auth = DigestAuth(b"r", NONCES, users)
    asked = Asked(line(Algorithm.MD5))
    seen: list[bytes | None] = []
    verdict = auth.check(asked, 5.0)
    assert verdict.pending is pending
    pending.then(lambda now: seen.append(auth.check(asked, now).user))
    users.asked.append((b"", Algorithm.MD5))
    pending.resolve(6.0)
    assert seen == [b"alice"]


def test_when_nobody_can_say_who_the_user_is_the_answer_is_503() -> None:
    class Broken(Users):
        def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | Pending | None:
            raise CredentialsUnavailableError("disk")

    auth = DigestAuth(b"r", NONCES, Broken())
    assert auth.check(Asked(line(Algorithm.MD5)), 5.0).status == 503
    assert (auth.unavailable, auth.failures.total) == (1, 0)


def test_failures_are_counted_by_user_and_by_source_and_raise_an_event() -> None:
    heard: list[AuthFailure | None] = []
    failures = Failures(window=60.0)
    failures.bus.subscribe(Event.E_AUTH_FAILURE, lambda user, subject: heard.append(subject))
    auth = DigestAuth(b"r", NONCES, Users(), failures=failures)
    source = Hop("192.0.2.66", 4000)
    for user in (b"alice", b"bob", b"alice"):
        auth.check(Asked(line(Algorithm.MD5, user=user, ha1=b"cd" * 16)), 5.0, source=source)
    forged = line(Algorithm.MD5, nonce=b"0" * 44, ha1=b"cd" * 16)
    auth.check(Asked(forged), 5.0, source=source)
    assert [(f.user, f.user_failures, f.source_failures) for f in heard if f] == [
        (b"alice", 1, 1),
        (b"bob", 1, 2),
        (b"alice", 2, 3),
    ]
    late = DigestAuth(b"r", Nonces(b"secret", life=1e6), Users(), failures=failures)
    late.check(Asked(line(Algorithm.MD5, ha1=b"cd" * 16)), 100.0, source=source)
    assert heard[-1] is not None
    assert heard[-1].source_failures == 1


def test_counting_failures_is_bounded() -> None:
    failures = Failures(max_counted=8)
    for number in range(100):
        failures.on_failure(b"%d" % number, Hop(f"192.0.2.{number}", 5060), 1.0)
    assert len(failures._users) == len(failures._sources) == 8


@pytest.mark.parametrize("algorithm", list(HASHES))
def test_an_unknown_user_costs_the_steps_of_a_wrong_password(algorithm: Algorithm) -> None:
    """Not the wall clock: the functions that run, in their order, and the bytes that they hash."""
    traces: list[list[str]] = []
    for user in (b"alice", b"mallo"):
        asked = Asked(line(algorithm, user=user, ha1=b"cd" * SIZES[algorithm]))
        calls: list[str] = []

        def trace(frame: FrameType, event: str, arg: object, calls: list[str] = calls) -> None:
            if event in ("call", "c_call"):
                calls.append(getattr(arg, "__name__", "") or frame.f_code.co_qualname)

        auth = DigestAuth(b"r", NONCES, Users())
        sys.setprofile(trace)
        try:
            auth.check(asked, 5.0)
        finally:
            sys.setprofile(None)
        traces.append(calls)
    assert traces[0] == traces[1]
    assert len(traces[0]) > 20


def test_the_stand_in_hash_has_the_length_of_a_real_one() -> None:
    from sipcore.auth.digest import _DUMMY_HA1

    assert {a: len(h) for a, h in _DUMMY_HA1.items()} == {a: 2 * SIZES[a] for a in HASHES}
    assert SHA_512_256 in HASHES


def test_credentials_of_another_realm_are_passed_over() -> None:
    other = line(Algorithm.MD5, realm=b"elsewhere")
    assert AUTH.check(Asked(other), 5.0).status == 401
    assert AUTH.check(Asked(other, line(Algorithm.MD5)), 5.0).user == b"alice"


def test_an_unknown_user_gets_the_answer_of_a_wrong_password() -> None:
    unknown = AUTH.check(Asked(line(Algorithm.MD5, user=b"mallory")), 5.0)
    wrong = AUTH.check(Asked(line(Algorithm.MD5).replace(b'cnonce="c"', b'cnonce="d"')), 5.0)
    assert unknown.user is None
    assert (unknown.status, len(unknown.headers)) == (wrong.status, len(wrong.headers))
    for (_, mine), (_, theirs) in zip(unknown.headers, wrong.headers, strict=True):
        a, b = parse_credentials(mine), parse_credentials(theirs)
        assert a is not None
        assert b is not None
        assert a.pop(b"nonce") != b.pop(b"nonce")
        assert a == b


def test_the_hash_that_stands_in_for_an_unknown_user_opens_nothing() -> None:
    stand_in = md5(b"nobody").hexdigest().encode()
    assert AUTH.check(Asked(line(Algorithm.MD5, user=b"mallory", ha1=stand_in)), 5.0).user is None


@pytest.mark.parametrize(
    "bad",
    [
        b'Digest realm="r',
        b"Digest =x",
        b'Digest realm="r", realm="r"',
        b'Digest realm="r" nonce="x"',
        b'Digest realm="r", username="alice", nonce="%s"' % NONCES.issue(5.0),
        line(Algorithm.MD5).replace(b"MD5", b"CRC"),
        line(Algorithm.MD5).replace(b'"auth"', b'"auth-int"'),
    ],
)
def test_broken_credentials_are_a_bad_request(bad: bytes) -> None:
    with pytest.raises(ParseError):
        AUTH.check(Asked(bad), 5.0)


def test_another_scheme_is_no_digest_and_quoted_pairs_are_undone() -> None:
    assert parse_credentials(b"Basic abc=") is None
    assert parse_credentials(rb'Digest username="a\"b\\c", nc=1') == {b"username": rb'a"b\c', b"nc": b"1"}


_PIECES = st.sampled_from(
    (
        b'a="1"',
        b"b=2",
        b"B = 3",
        b",",
        b", ",
        b" ",
        b'"',
        b"=",
        b"\\",
        b"c",
        b'realm="x, y=1"',
        b"nc=00000001",
    )
)


@given(st.lists(_PIECES, max_size=9).map(b"".join))
def test_the_quick_reading_of_credentials_finds_what_the_careful_one_does(text: bytes) -> None:
    try:
        quick = _read_usual(text)
    except ParseError:
        return
    assert quick == _read_carefully(text)
