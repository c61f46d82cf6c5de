"""Sans-IO: REGISTER end to end on a real table: RFC 3261 section 10.3, RFC 3327."""

import re

import pytest

from sipcore.auth.digest import Algorithm, DigestAuth, digest_response
from sipcore.auth.nonce import Nonces
from sipcore.location.binding import Flag
from sipcore.message import Request, Response, Uri, parse
from sipcore.registrar import Registrar, RegistrarSettings
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.replication import Node

SOURCE = Hop("192.0.2.7", 5060)
ALICE = b"sip:alice@example.test"
HA1 = b"5f4dcc3b5aa765d61d8327deb882cf99"


class OneUser:
    def algorithms(self) -> tuple[Algorithm, ...]:
        return (Algorithm.MD5,)

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | None:
        return HA1 if user == b"alice" else None


class Desk:
    """A registrar without sockets: what goes in, what comes out."""

    def __init__(self, *, auth: bool = False) -> None:
        self.node = Node("a")
        self.node.become(Role.MASTER, 1)
        self.digest = DigestAuth(b"example.test", Nonces(b"secret"), OneUser())
        settings = RegistrarSettings(frozenset({b"example.test"}), max_contacts=3)
        self.registrar = Registrar(settings, self.node.table, self.digest if auth else None)
        self.answers: list[tuple[Response, bool]] = []
        self.cseq = 0

    def respond(self, data: bytes, status: int, now: float, hold: bool = False) -> None:
        response = parse(data)
        assert isinstance(response, Response)
        assert response.status == status
        self.answers.append((response, hold))

    def register(
        self,
        *headers: str,
        now: float = 1.0,
        cseq: int | None = None,
        source: Hop = SOURCE,
        to: str = "sip:alice@example.test",
        uri: str = "sip:example.test",
    ) -> Response:
        self.cseq = self.cseq + 1 if cseq is None else cseq
        text = "\r\n".join(
            (
                f"REGISTER {uri} SIP/2.0",
                "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1",
                f"To: <{to}>",
                f"From: <{to}>;tag=1",
                "Call-ID: one@phone",
                f"CSeq: {self.cseq} REGISTER",
                "Max-Forwards: 70",
                *headers,
                "Content-Length: 0",
                "",
                "",
            )
        )
        request = parse(text.encode())
        assert isinstance(request, Request)
        self.registrar.on_request(request, source, self, now)
        return self.answers[-1][0]

    def uris(self, now: float = 1.0) -> list[bytes]:
        return [binding.uri for binding in self.node.table.lookup(ALICE, now)]


def test_a_contact_is_stored_with_all_that_a_call_needs() -> None:
    desk = Desk()
    answer = desk.register(
        'Contact: <sip:a@10.0.0.1:5070>;q=0.5;+sip.instance="<urn:uuid:1>"',
        "Expires: 600",
        "User-Agent: Phone 1",
        source=Hop("198.51.100.1", 40000, 2),
    )
    assert answer.status == 200
    (binding,) = desk.node.table.lookup(ALICE, 1.0)
    assert binding.uri == b"sip:a@10.0.0.1:5070"
    assert binding.received == Hop("198.51.100.1", 40000, 2)
    assert binding.flags == Flag.NAT
    assert binding.instance == b"<urn:uuid:1>"
    assert binding.user_agent == b"Phone 1"
    assert binding.expires_at == 601.0
    assert (binding.cseq, binding.call_id, binding.epoch) == (1, b"one@phone", 1)
    (contact,) = answer.values(b"contact")
    assert contact == b'<sip:a@10.0.0.1:5070>;expires=600;q=0.5;+sip.instance="<urn:uuid:1>"'


def test_the_200_waits_for_the_standby_and_a_refusal_does_not() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h1>")
    desk.register("Contact: <sip:a@h1>;expires=x")
    assert [(r.status, hold) for r, hold in desk.answers] == [(200, True), (400, False)]


def test_a_fetch_lists_all_contacts_and_changes_nothing() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h1>, <sip:a@h2>;expires=120")
    answer = desk.register(now=31.0)
    assert [int(re.search(rb"expires=(\d+)", c)[1]) for c in answer.values(b"contact")] == [3570, 90]  # type: ignore[index] # all have it


def test_wildcard_removes_all_and_needs_expires_0() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h1>, <sip:a@h2>")
    assert desk.register("Contact: *").status == 400
    assert desk.register("Contact: *, <sip:a@h1>", "Expires: 0").status == 400
    assert len(desk.uris()) == 2
    answer = desk.register("Contact: *", "Expires: 0")
    assert (answer.status, answer.values(b"contact")) == (200, [])
    assert desk.uris() == []


def test_an_expiry_that_is_too_brief_gets_423_and_a_long_one_is_cut() -> None:
    desk = Desk()
    answer = desk.register("Contact: <sip:a@h1>;expires=59")
    assert (answer.status, answer.first(b"min-expires")) == (423, b"60")
    assert desk.uris() == []
    assert b"expires=3600" in desk.register("Contact: <sip:a@h1>;expires=4294967295").values(b"contact")[0]


@pytest.mark.parametrize(
    "headers",
    [
        ("Contact: <sip:a@h1>", "Expires: soon"),
        ("Contact: <sip:a@h1>;expires=4294967296",),
        ("Contact: <sip:a@h1>;expires=-1",),
        ("Contact: <sip:a@h1>;q=2",),
        ("Contact: <sip:a@h1>;q=nan",),
        ("Contact: <mailto:a@h1>",),
        ("Contact: sip:a@h1?Route=%3Csip:x%3E",),
        ("Contact: <sip:a@h2>, <sip:a@>",),
    ],
)
def test_a_bad_contact_gets_400_and_nothing_of_the_request_is_kept(headers: tuple[str, ...]) -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h0>")
    assert desk.register(*headers).status == 400
    assert desk.uris() == [b"sip:a@h0"]


def test_a_lower_cseq_changes_nothing_and_the_same_one_is_a_retransmission() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h1>", cseq=5)
    assert desk.register("Contact: <sip:a@h2>, <sip:a@h1>;expires=0", cseq=4).status == 400
    assert desk.uris() == [b"sip:a@h1"]
    assert desk.register("Contact: <sip:a@h1>", cseq=5).status == 200
    assert desk.register("Contact: *", "Expires: 0", cseq=4).status == 400
    assert desk.uris() == [b"sip:a@h1"]


def test_a_late_register_does_not_bring_a_removed_contact_back() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h1>", cseq=5)
    desk.register("Contact: <sip:a@h1>;expires=0", cseq=7)
    assert desk.register("Contact: <sip:a@h1>", cseq=6).status == 400
    assert desk.uris() == []


def test_too_many_contacts_are_refused_as_a_whole() -> None:
    desk = Desk()
    assert desk.register("Contact: <sip:a@h1>, <sip:a@h2>, <sip:a@h3>, <sip:a@h4>").status == 403
    assert desk.uris() == []
    assert desk.register("Contact: <sip:a@h1>, <sip:a@h2>, <sip:a@h3>").status == 200
    assert desk.register("Contact: <sip:a@h4>, <sip:a@h1>;expires=0").status == 200
    assert len(desk.uris()) == 3


def test_the_same_contact_in_another_spelling_replaces_the_first() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@HOST1>")
    desk.register("Contact: <sip:%61@host1>")
    assert desk.uris() == [b"sip:%61@host1"]


def test_path_is_the_route_and_then_the_nat_is_not_ours() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h1>", "Path: <sip:p1;lr>, <sip:p2;lr>", source=Hop("198.51.100.1", 4))
    (binding,) = desk.node.table.find(Uri.parse(ALICE), 1.0)
    assert (binding.uri, binding.path) == (b"sip:a@h1", (b"<sip:p1;lr>", b"<sip:p2;lr>"))
    assert binding.received is None


def test_targets_come_by_falling_q() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h1>;q=0.1, <sip:a@h2>;q=0.9, <sip:a@h3>;q=0.5")
    assert desk.uris() == [b"sip:a@h2", b"sip:a@h3", b"sip:a@h1"]


def test_an_unknown_extension_or_domain_is_refused() -> None:
    desk = Desk()
    answer = desk.register("Contact: <sip:a@h1>", "Require: path, gruu, x")
    assert (answer.status, answer.first(b"unsupported")) == (420, b"gruu, x")
    assert desk.register("Contact: <sip:a@h1>", to="sip:alice@elsewhere.test").status == 404
    assert desk.register("Contact: <sip:a@h1>", uri="sip:elsewhere.test").status == 404


def authorization(answer: Response, user: str, ha1: bytes = HA1, count: int = 1) -> str:
    nonce = re.search(rb'nonce="([^"]+)"', answer.first(b"www-authenticate") or b"")
    assert nonce is not None
    given = {
        b"uri": b"sip:example.test",
        b"nonce": nonce[1],
        b"nc": b"%08x" % count,
        b"cnonce": b"c",
        b"qop": b"auth",
    }
    response = digest_response(ha1, Algorithm.MD5, b"REGISTER", given)
    return (
        f'Authorization: Digest username="{user}", realm="example.test", nonce="{nonce[1].decode()}", '
        f'uri="sip:example.test", response="{response.decode()}", '
        'algorithm=MD5, cnonce="c", qop=auth, nc=' + f"{count:08x}"
    )


def test_only_the_user_with_the_password_registers_the_users_aor() -> None:
    desk = Desk(auth=True)
    challenge = desk.register("Contact: <sip:a@h1>")
    assert challenge.status == 401
    wrong = desk.register("Contact: <sip:a@h1>", authorization(challenge, "alice", b"0" * 32))
    unknown = desk.register("Contact: <sip:a@h1>", authorization(challenge, "mallory"))
    assert [r.status for r in (wrong, unknown)] == [401, 401]
    proof = authorization(challenge, "alice")
    assert desk.register("Contact: <sip:a@h1>", proof, to="sip:bob@example.test").status == 403
    assert desk.uris() == []
    replay = desk.register("Contact: <sip:a@h1>", proof)
    assert (replay.status, b"stale=true" in (replay.first(b"www-authenticate") or b"")) == (401, True)
    assert desk.register("Contact: <sip:a@h1>", authorization(challenge, "alice", count=2)).status == 200
    assert desk.uris() == [b"sip:a@h1"]


def test_a_nonce_after_its_life_is_stale_and_a_wrong_password_is_not_called_stale() -> None:
    desk = Desk(auth=True)
    challenge = desk.register("Contact: <sip:a@h1>")
    late = desk.register("Contact: <sip:a@h1>", authorization(challenge, "alice"), now=400.0)
    assert b"stale=true" in (late.first(b"www-authenticate") or b"")
    wrong = desk.register("Contact: <sip:a@h1>", authorization(challenge, "alice", b"0" * 32), now=400.0)
    assert b"stale" not in (wrong.first(b"www-authenticate") or b"")
