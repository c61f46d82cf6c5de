"""Sans-IO: challenge and check; what hostile credentials do."""

from hashlib import md5

import pytest

from sipcore.auth.digest import Algorithm, DigestAuth, Verdict, digest_response, parse_credentials
from sipcore.auth.nonce import Nonces
from sipcore.errors import ParseError

NONCES = Nonces(b"secret")


class Users:
    def algorithms(self) -> tuple[Algorithm, ...]:
        return (Algorithm.MD5, Algorithm.SHA_256)

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | None:
        return b"ab" * (16, 32)[algorithm] if user == b"alice" else None


class Asked:
    """A request with these Authorization lines."""

    def __init__(self, *lines: bytes) -> None:
        self.method = b"REGISTER"
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
) -> bytes:
    given = {b"uri": b"sip:r", b"nonce": NONCES.issue(5.0)}
    if qop:
        given |= {b"nc": b"00000001", b"cnonce": b"c", b"qop": b"auth"}
    ha1 = ha1 or b"ab" * (16, 32)[algorithm]
    given |= {
        b"response": digest_response(ha1, algorithm, b"REGISTER", given),
        b"username": user,
        b"realm": realm,
    }
    name = (b"MD5", b"SHA-256")[algorithm]
    return b"Digest algorithm=%s, " % name + b", ".join(b'%s="%s"' % pair for pair in given.items())


@pytest.mark.parametrize("algorithm", list(Algorithm))
@pytest.mark.parametrize("qop", [True, False])
def test_both_algorithms_with_and_without_qop_are_accepted(algorithm: Algorithm, qop: bool) -> None:
    assert AUTH.check(Asked(line(algorithm, qop=qop)), 5.0) == Verdict(b"alice")


def test_the_challenge_offers_md5_first_for_old_phones() -> None:
    verdict = AUTH.check(Asked(), 5.0)
    assert verdict.status == 401
    assert [b"MD5" in value for _, value in verdict.headers] == [True, False]
    assert b"SHA-256" in verdict.headers[1][1]
    proxied = AUTH.check(Asked(), 5.0, proxy=True)
    assert (proxied.status, proxied.headers[0][0]) == (407, b"Proxy-Authenticate")


def test_credentials_of_another_realm_are_passed_over() -> None:
    other = line(Algorithm.MD5, realm=b"elsewhere")
    assert AUTH.check(Asked(other), 5.0).status == 401
    assert AUTH.check(Asked(other, line(Algorithm.MD5)), 5.0).user == b"alice"


def test_an_unknown_user_gets_the_answer_of_a_wrong_password() -> None:
    unknown = AUTH.check(Asked(line(Algorithm.MD5, user=b"mallory")), 5.0)
    wrong = AUTH.check(Asked(line(Algorithm.MD5).replace(b'cnonce="c"', b'cnonce="d"')), 5.0)
    assert unknown == wrong
    assert unknown.user is None


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
