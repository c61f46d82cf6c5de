"""Sans-IO: REGISTER end to end on a real table: RFC 3261 section 10.3, RFC 3327."""

import re
from functools import partial
from typing import Any

import pytest

from sipcore.auth.digest import Algorithm, DigestAuth, Pending, digest_response
from sipcore.auth.nonce import Nonces
from sipcore.bus import Event
from sipcore.location.aor import AorRules
from sipcore.location.binding import Flag, by_instance
from sipcore.location.gruu import Gruus
from sipcore.message import Request, Response, Uri, parse
from sipcore.registrar import Matching, MaxContactsPolicy, PathMode, Registrar, RegistrarSettings
from sipcore.role import Role
from sipcore.transport.layer import Hop
from tests.kit.replication import Node

SOURCE = Hop("192.0.2.7", 5060)
ALICE = b"sip:alice@example.test"
HA1 = b"5f4dcc3b5aa765d61d8327deb882cf99"


class OneUser:
    def algorithms(self) -> tuple[Algorithm, ...]:
        return (Algorithm.MD5,)

    def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | Pending | None:
        return HA1 if user == b"alice" else None


class Desk:
    """A registrar without sockets: what goes in, what comes out."""

    def __init__(
        self, *, auth: bool = False, rules: AorRules | None = None, secret: bytes = b"secret", **policy: Any
    ) -> None:
        self.node = Node("a")
        self.node.table.rules = rules or AorRules()
        self.node.table.gruus = Gruus(secret)
        self.node.become(Role.MASTER, 1)
        self.digest = DigestAuth(b"example.test", Nonces(b"secret"), OneUser())
        domains = frozenset({b"example.test", b"example.org"})
        settings = RegistrarSettings(domains, max_contacts=3, **policy)
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
        call_id: str = "one@phone",
    ) -> Response:
        """Register; the last answer that was given, by now."""
        self.cseq = self.cseq + 1 if cseq is None else cseq
        request = self.request(*headers, to=to, uri=uri, call_id=call_id)
        self.registrar.on_request(request, source, self, now)
        return self.answers[-1][0]

    def request(
        self,
        *headers: str,
        to: str = "sip:alice@example.test",
        uri: str = "sip:example.test",
        call_id: str = "one@phone",
    ) -> Request:
        text = "\r\n".join(
            (
                f"REGISTER {uri} SIP/2.0",
                "Via: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK1",
                f"To: <{to}>",
                f"From: <{to}>;tag=1",
                f"Call-ID: {call_id}",
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
        return request

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
    answer = desk.register("Contact: <sip:a@h1>", "Require: path, pref, x")
    assert (answer.status, answer.first(b"unsupported")) == (420, b"pref, x")
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


def note(heard: list[bytes], aor: bytes, subject: object) -> None:
    heard.append(aor)


def contacts(answer: Response) -> list[bytes]:
    return answer.values(b"contact")


# Limits and policies


def test_with_replace_oldest_the_contact_that_was_refreshed_longest_ago_goes() -> None:
    desk = Desk(max_contacts_policy=MaxContactsPolicy.REPLACE_OLDEST)
    for number in (1, 2, 3):
        desk.register(f"Contact: <sip:a@h{number}>", now=float(number))
    desk.register("Contact: <sip:a@h1>", now=4.0)
    assert desk.register("Contact: <sip:a@h4>", now=5.0).status == 200
    assert sorted(desk.uris(5.0)) == [b"sip:a@h1", b"sip:a@h3", b"sip:a@h4"]
    many = ", ".join(f"<sip:a@x{number}>" for number in range(4))
    assert desk.register(f"Contact: {many}", now=6.0).status == 403  # even alone it has too many


def test_who_may_register_others_is_a_matter_of_the_config() -> None:
    desk = Desk(third_party=frozenset({b"gateway"}))
    request = desk.request("Contact: <sip:a@h1>")
    for user, status in ((b"mallory", 403), (b"alice", 200), (b"gateway", 200)):
        assert desk.registrar.save(request, SOURCE, 1.0, user=user).status == status


def test_alias_domains_letter_case_and_tel_lead_to_one_address_of_record() -> None:
    rules = AorRules({b"example.org": b"example.test"}, ignore_case=True, tel_domain=b"example.test")
    desk = Desk(rules=rules)
    desk.register("Contact: <sip:a@h1>", to="sip:Alice@example.org", uri="sip:example.org")
    assert desk.uris() == [b"sip:a@h1"]
    desk.register("Contact: <sip:t@h2>", to="tel:+49-30-1")
    (binding,) = desk.node.table.find(Uri.parse(b"tel:+49(30)1"), 1.0)
    assert binding.uri == b"sip:t@h2"
    assert desk.node.table.find(Uri.parse(b"sip:+49301@EXAMPLE.ORG"), 1.0) == [binding]
    assert desk.register("Contact: <sip:a@h1>", to="tel:110;phone-context=elsewhere.test").status == 404


def test_matching_by_instance_lets_a_phone_that_moved_replace_itself() -> None:
    for matching, left in ((Matching.CONTACT, 2), (Matching.INSTANCE, 1)):
        desk = Desk(matching=matching)
        gone: list[bytes] = []
        desk.node.bus.subscribe(Event.E_UL_AOR_DELETE, partial(note, gone))
        for port in (5060, 5062):
            desk.register(f'Contact: <sip:a@h1:{port}>;+sip.instance="<urn:uuid:1>"')
        assert len(desk.uris()) == left
        assert gone == []  # it was registered all the time


def test_what_else_stands_in_a_contact_is_kept_and_given_back() -> None:
    desk = Desk()
    answer = desk.register('Contact: <sip:a@h1>;audio;methods="INVITE,BYE";pub-gruu="sip:x;gr=y"')
    assert contacts(answer) == [b'<sip:a@h1>;expires=3600;audio;methods="INVITE,BYE"']
    assert desk.register(f"Contact: <sip:a@h1>;x={'y' * 2000}").status == 400


def test_the_service_route_is_told_to_each_phone() -> None:
    desk = Desk(service_route=(b"<sip:p1;lr>", b"<sip:p2;lr>"))
    assert desk.register("Contact: <sip:a@h1>").values(b"service-route") == [b"<sip:p1;lr>", b"<sip:p2;lr>"]


# Path


@pytest.mark.parametrize(
    ("mode", "headers", "status", "shown", "kept"),
    [
        (PathMode.LAZY, ("Path: <sip:p;lr>",), 200, [], (b"<sip:p;lr>",)),
        (PathMode.LAZY, ("Path: <sip:p;lr>", "Supported: path"), 200, [b"<sip:p;lr>"], (b"<sip:p;lr>",)),
        (PathMode.STRICT, ("Path: <sip:p;lr>",), 420, [], None),
        (PathMode.STRICT, ("Path: <sip:p;lr>", "Supported: path"), 200, [b"<sip:p;lr>"], (b"<sip:p;lr>",)),
        (PathMode.STRICT, (), 200, [], ()),
        (PathMode.OFF, ("Path: <sip:p;lr>", "Supported: path"), 200, [], ()),
        (PathMode.OFF, ("Path: <sip:p;lr>", "Require: path"), 420, [], None),
        (PathMode.LAZY, ("Path: <>",), 400, [], None),
    ],
)
def test_path_is_kept_shown_or_refused_as_the_mode_says(
    mode: PathMode, headers: tuple[str, ...], status: int, shown: list[bytes], kept: tuple[bytes, ...] | None
) -> None:
    desk = Desk(path_mode=mode)
    answer = desk.register("Contact: <sip:a@h1>", *headers)
    assert (answer.status, answer.values(b"path")) == (status, shown)
    assert [b.path for b in desk.node.table.lookup(ALICE, 1.0)] == ([] if kept is None else [kept])


# Outbound, RFC 5626

OB = 'Contact: <sip:a@h{0}>;+sip.instance="<urn:uuid:{1}>";reg-id={2}'
TCP = Hop("192.0.2.7", 40000, 0, "tcp", flow=11)


def test_the_same_instance_and_reg_id_is_one_contact_whatever_its_uri() -> None:
    desk = Desk()
    answer = desk.register(OB.format(1, 1, 1), "Supported: outbound", source=TCP)
    assert (answer.values(b"require"), answer.first(b"flow-timer")) == ([b"outbound"], b"120")
    assert contacts(answer) == [b'<sip:a@h1>;expires=3600;+sip.instance="<urn:uuid:1>";reg-id=1']
    desk.register(OB.format(2, 1, 1), source=TCP._replace(flow=12))
    desk.register(OB.format(3, 1, 2), source=TCP._replace(flow=13))
    assert sorted(desk.uris()) == [b"sip:a@h2", b"sip:a@h3"]
    desk.register(OB.format(9, 1, 2) + ";expires=0")
    assert desk.uris() == [b"sip:a@h2"]


def test_one_uri_of_two_instances_is_two_contacts() -> None:
    desk = Desk()
    for instance in (1, 2):
        desk.register(OB.format(1, instance, 1), source=TCP._replace(flow=instance))
    assert desk.uris() == [b"sip:a@h1", b"sip:a@h1"]


def test_a_call_takes_the_newest_living_flow_of_each_instance() -> None:
    desk = Desk()
    desk.register(OB.format(1, 1, 1), source=TCP._replace(flow=1), now=1.0)
    desk.register(OB.format(2, 1, 2), source=TCP._replace(flow=2), now=2.0)
    table = desk.node.table

    def flows() -> list[int]:
        found = table.find(Uri.parse(ALICE), 3.0)
        return [b.received.flow for b, *_ in by_instance(found) if b.received]

    assert flows() == [2]
    table.on_flow_closed(2, 3.0)
    assert flows() == [1]
    table.on_flow_closed(1, 3.0)
    assert flows() == []
    assert len(table.lookup(ALICE, 3.0)) == 2  # registered they are
    desk.register(OB.format(2, 1, 2), source=TCP._replace(flow=3), now=4.0)
    assert flows() == [3]
    table.on_flow_closed(2, 4.0)  # long gone
    assert flows() == [3]


def test_a_phone_over_tcp_that_takes_calls_is_dialled_when_its_connection_is_gone() -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@192.0.2.7;transport=tcp>", source=TCP)
    desk.node.table.on_flow_closed(11, 1.0)
    (binding,) = desk.node.table.find(Uri.parse(ALICE), 1.0)
    assert binding.received is None


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (("Supported: outbound",), 439),
        ((), 200),
        (("Supported: outbound", "Path: <sip:p;lr>"), 439),
        (("Supported: outbound", "Path: <sip:p;lr;ob>"), 200),
    ],
)
def test_behind_a_proxy_without_outbound_the_reg_id_does_not_count(
    headers: tuple[str, ...], status: int
) -> None:
    desk = Desk()
    via = "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK2"
    answer = desk.register(OB.format(1, 1, 1), via, *headers)
    assert answer.status == status
    if status == 200:
        (binding,) = desk.node.table.lookup(ALICE, 1.0)
        assert binding.reg_id == (1 if headers else 0)


@pytest.mark.parametrize(
    "contact", [OB.format(1, 1, 1) + ", <sip:b@h2>", OB.format(1, 1, 0), OB.format(1, 1, "x")]
)
def test_a_register_makes_one_flow(contact: str) -> None:
    desk = Desk()
    assert desk.register(contact).status == 400
    assert desk.uris() == []
    assert desk.register(OB.format(1, 1, 1) + ", <sip:b@h2>;expires=0").status == 200


# GRUU, RFC 5627


def gruus(answer: Response) -> dict[bytes, bytes]:
    (value,) = contacts(answer)
    return dict(re.findall(rb'(pub|temp)-gruu="([^"]+)"', value))


def test_gruus_are_given_to_phones_that_ask_and_lead_to_their_instance_alone() -> None:
    desk = Desk()
    instance = 'Contact: <sip:a@h{0}>;+sip.instance="<urn:uuid:{0}>"'
    desk.register(instance.format(2), "Supported: gruu", "Expires: 60")
    (value,) = contacts(desk.register(instance.format(2)))
    assert b"gruu" not in value
    desk.register(instance.format(2) + ";expires=0")
    given = gruus(desk.register(instance.format(1), "Supported: gruu"))
    desk.register(instance.format(2))
    assert given[b"pub"] == b"sip:alice@example.test;gr=urn:uuid:1"
    for uri in given.values():
        (binding,) = desk.node.table.find(Uri.parse(uri), 1.0)
        assert binding.uri == b"sip:a@h1"
    assert b"alice" not in given[b"temp"]
    assert len(desk.node.table.find(Uri.parse(ALICE), 1.0)) == 2


def test_temporary_gruus_last_while_the_call_id_does_and_are_good_on_both_nodes() -> None:
    desk, other = Desk(), Desk(secret=b"0" * 32)
    contact = 'Contact: <sip:a@h1>;+sip.instance="<urn:uuid:1>"'
    first = gruus(desk.register(contact, "Supported: gruu"))[b"temp"]
    second = gruus(desk.register(contact, "Supported: gruu"))[b"temp"]
    assert first != second
    peer = Desk()  # the same secret
    replica, *_ = desk.node.journal.capabilities.values()
    theirs, *_ = peer.node.journal.capabilities.values()
    payload = replica.pack(ALICE, 1.0)
    assert payload is not None
    theirs.apply(ALICE, payload, 1, 1.0)
    for uri in (first, second):
        for table in (desk.node.table, peer.node.table):
            assert len(table.find(Uri.parse(uri), 1.0)) == 1
        assert other.node.table.find(Uri.parse(uri), 1.0) == []
    desk.register(contact, call_id="two@phone")
    assert desk.node.table.find(Uri.parse(first), 1.0) == []


@pytest.mark.parametrize(
    "uri", [b"sip:tgruu.@example.test;gr", b"sip:tgruu.aaaa@example.test;gr", b"sip:x@example.test;gr"]
)
def test_a_gruu_that_was_made_up_leads_nowhere(uri: bytes) -> None:
    desk = Desk()
    desk.register("Contact: <sip:a@h1>")
    assert desk.node.table.find(Uri.parse(uri), 1.0) == []


def test_a_gruu_of_ours_is_no_contact() -> None:
    assert Desk().register("Contact: <sip:bob@example.test;gr=urn:uuid:1>").status == 403


# Users in a database


def test_a_register_waits_for_the_database_and_is_then_answered() -> None:
    desk = Desk(auth=True)
    pending = Pending()
    known = desk.digest.credentials.ha1(b"alice", Algorithm.MD5)
    answers: list[bytes | Pending | None] = [pending, known]

    class Slow(OneUser):
        def ha1(self, user: bytes, algorithm: Algorithm) -> bytes | Pending | None:
            return answers.pop(0)

    challenge = desk.register("Contact: <sip:a@h1>")
    desk.digest.credentials = Slow()
    count = len(desk.answers)
    desk.register("Contact: <sip:a@h1>", authorization(challenge, "alice"))
    assert (len(desk.answers), desk.uris()) == (count, [])
    pending.resolve(2.0)
    assert desk.answers[-1][0].status == 200
    assert desk.uris() == [b"sip:a@h1"]
