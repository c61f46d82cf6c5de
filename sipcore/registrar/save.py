"""Sans-IO: REGISTER, RFC 3261 section 10.3, with Path (RFC 3327), Service-Route (RFC 3608), outbound (RFC
5626 section 6) and GRUU (RFC 5627 section 5).

Deviations: a REGISTER with the CSeq of the one before and the same Call-ID is taken again instead of refused:
after a takeover that is the retransmission whose first 200 was lost. A lower CSeq gets 400. A reg-id is
honoured also without `Supported: outbound`.
"""

import re
from functools import partial
from typing import NamedTuple, Protocol

from sipcore.auth.digest import DigestAuth
from sipcore.errors import ParseError
from sipcore.location.binding import NAT, Binding
from sipcore.location.table import LocationTable
from sipcore.message import NameAddr, Request, Uri, build_response
from sipcore.nat.detect import nat_uac_test
from sipcore.proxy.branch_id import own_tag
from sipcore.registrar.contact import Contact, Header, Refused, contact_header, parse_contact, seconds
from sipcore.registrar.date import Date
from sipcore.registrar.settings import Matching, MaxContactsPolicy, PathMode, RegistrarSettings
from sipcore.transport.layer import Hop

_MAX_AGENTS = 1024  # spellings of User-Agent that are kept once for all
_MAX_SERVED = 256
_MAX_KEPT = 256  # bytes of one of them
# The usual To: no escapes in the user, no port, no parameters of the URI.
_USUAL_TO = re.compile(rb"[^<>\"]*+<sip:([A-Za-z0-9_.+~-]++)@([a-z0-9.-]++)>(?:;[^<>\"]*+)?\Z")


class Responder(Protocol):
    """The server transaction of the REGISTER."""

    def respond(self, data: bytes, status: int, now: float, hold: bool = False) -> None:
        """Send this response; `hold`: not before the standby has what it promises."""


class Answer(NamedTuple):
    """What a REGISTER is answered with."""

    status: int
    reason: bytes = b""
    headers: tuple[Header, ...] = ()


class Registrar:
    """Answers each REGISTER of our domains; a request takes effect as a whole or not at all."""

    def __init__(self, settings: RegistrarSettings, location: LocationTable, auth: DigestAuth | None) -> None:
        self.settings = settings
        self.location = location
        self.auth = auth
        self._supported = frozenset(
            tag
            for tag, on in (
                (b"path", settings.path_mode is not PathMode.OFF),
                (b"outbound", settings.outbound),
                (b"gruu", location.gruus is not None),
            )
            if on
        )
        self._date = Date(settings.wall_offset)
        self._agents: dict[bytes, bytes] = {}
        self._served: set[bytes] = set()  # Request-URIs that were found to be of our domains

    def on_request(self, request: Request, source: Hop, tx: Responder, now: float) -> None:
        """Authenticate, carry out the REGISTER, and answer through its server transaction."""
        user: bytes | None = None
        if self.auth is not None:
            try:
                verdict = self.auth.check(request, now, source=source)
            except ParseError as error:
                self.answer(request, Answer(error.status, error.reason.encode()[:100]), tx, now)
                return
            if verdict.pending is not None:  # the database is asked
                verdict.pending.then(partial(self.on_request, request, source, tx))
                return
            if verdict.user is None:
                self.answer(request, Answer(verdict.status, b"", verdict.headers), tx, now)
                return
            user = verdict.user
        self.answer(request, self.save(request, source, now, user=user), tx, now)

    def answer(self, request: Request, answer: Answer, tx: Responder, now: float) -> None:
        """Send it; a 200 waits until the standby has what it promises."""
        status = answer.status
        data = build_response(request, status, answer.reason, to_tag=own_tag(request), headers=answer.headers)
        tx.respond(data, status, now, hold=status == 200)

    def save(self, request: Request, source: Hop, now: float, *, user: bytes | None = None) -> Answer:
        """Carry out a REGISTER; `user` is who was authenticated (None: whoever asks may do it)."""
        try:
            return Answer(200, b"", self._register(request, source, user, now))
        except Refused as refused:
            return Answer(refused.status, refused.reason, refused.headers)
        except ParseError as error:
            return Answer(error.status, error.reason.encode()[:100])

    def _register(self, request: Request, source: Hop, user: bytes | None, now: float) -> tuple[Header, ...]:
        # The numbers are those of the steps in section 10.3.
        names = request.first_lines
        self._check_domain(request.uri)  # 1
        if b"require" in names:  # 2
            self._check_extensions(request)
        aor = self._aor(request, user)  # 4, 5
        tags = [tag.lower() for tag in request.values(b"supported")] if b"supported" in names else []
        headers: list[Header] = []
        contacts = request.values(b"contact") if b"contact" in names else []
        if contacts == [b"*"]:  # 6
            self._remove_all(request, aor, now)
        elif contacts:  # 7
            update = _Update(self, request, source, aor=aor, tags=tags, now=now)
            update.read(contacts)
            update.commit()
            headers = update.headers
        gruus = self.location.gruus if b"gruu" in tags else None
        found = [contact_header(binding, now, gruus, aor) for binding in self.location.lookup(aor, now)]  # 8
        headers += [(b"Service-Route", route) for route in self.settings.service_route]
        return (*found, *headers, self._date.header(now))

    def _check_domain(self, uri: bytes) -> None:
        if uri in self._served:
            return
        if Uri.parse(uri).host not in self.settings.domains:
            raise Refused(404, b"Domain not served here")
        if len(self._served) < _MAX_SERVED and len(uri) <= _MAX_KEPT:
            self._served.add(uri)

    def _check_extensions(self, request: Request) -> None:
        unknown = [tag for tag in request.values(b"require") if tag.lower() not in self._supported]
        if unknown:
            raise Refused(420, headers=((b"Unsupported", b", ".join(unknown)),))

    def _aor(self, request: Request, user: bytes | None) -> bytes:
        to = request.first(b"to") or b""
        usual = _USUAL_TO.match(to)
        if usual is not None:
            aor = self.location.rules.of(*usual.groups())
        else:
            aor = self.location.aor(Uri.parse(NameAddr.parse(to).uri))
        name, at, domain = aor.removeprefix(b"sip:").rpartition(b"@")
        if user is not None and user != name and not self._may(user, aor, domain):
            raise Refused(403, b"Not your address-of-record")
        if not at or not name or domain not in self.settings.domains:
            raise Refused(404)
        return aor

    def _may(self, user: bytes, aor: bytes, domain: bytes) -> bool:
        own = self.location.aor(Uri(b"sip", user, b"", domain))
        return own == aor or user in self.settings.third_party

    def _remove_all(self, request: Request, aor: bytes, now: float) -> None:
        if seconds(request.first(b"expires")) != 0:
            raise Refused(400, b"Contact * without Expires: 0")
        bindings = self.location.lookup(aor, now)
        for binding in bindings:
            check_order(request, binding)
        for binding in bindings:
            self.location.remove(aor, binding.key, call_id=request.call_id, cseq=request.cseq)

    def agent(self, request: Request) -> bytes:
        """The User-Agent, one object for all phones of a kind."""
        agent = request.first(b"user-agent")
        if not agent:
            return b""
        if len(agent) > _MAX_KEPT:
            return agent[:_MAX_KEPT]
        if len(self._agents) >= _MAX_AGENTS:
            self._agents.clear()
        return self._agents.setdefault(agent, agent)


class _Update:
    """What one REGISTER changes: `read` all of it, and only then `commit`."""

    def __init__(
        self,
        registrar: Registrar,
        request: Request,
        source: Hop,
        *,
        aor: bytes,
        tags: list[bytes],
        now: float,
    ) -> None:
        self._registrar = registrar
        self._settings = registrar.settings
        self._location = registrar.location
        self._request = request
        self._aor = aor
        self._now = now
        self._tags = tags
        self._source = source
        self.headers: list[Header] = []
        self._path = self._read_path() if b"path" in request.first_lines else ()
        # with a Path the NAT, if any, and the connection are the business of the first proxy on it
        nated = not self._path and nat_uac_test(request, source, self._settings.nat_tests)
        self._flags = NAT if nated else 0
        # reached where the REGISTER came from: through the NAT, or over its connection
        self._received = source if nated or (source.transport != "udp" and not self._path) else None
        record = self._location.record(aor)
        self._known = record.bindings if record is not None else {}
        self._changes: dict[bytes, Binding | None] = {}  # by key; None: it goes

    def read(self, values: list[bytes]) -> None:
        """Check every Contact; raises Refused or ParseError, and nothing has happened."""
        default = seconds(self._request.first(b"expires"))
        contacts = [parse_contact(value) for value in values]
        if len(contacts) > 1:
            self._check_flows(contacts, default)
        for contact in contacts:
            self._read_contact(contact, default)
        self._check_count()

    def commit(self) -> None:
        """Carry it out: what is new comes before what goes, so that the AOR stays registered all the time."""
        location, request = self._location, self._request
        for binding in self._changes.values():
            if binding is not None:
                location.save(self._aor, binding, self._now)
        for key, binding in self._changes.items():
            if binding is None:
                location.remove(self._aor, key, call_id=request.call_id, cseq=request.cseq)

    def _read_path(self) -> tuple[bytes, ...]:
        mode = self._settings.path_mode
        path = tuple(self._request.values(b"path")) if mode is not PathMode.OFF else ()
        if b"path" in self._tags:  # RFC 3327 section 5.3: the phone sees which way was recorded
            self.headers.extend((b"Path", value) for value in path)
        elif path and mode is PathMode.STRICT:
            raise Refused(420, headers=((b"Unsupported", b"path"),))
        for value in path:
            Uri.parse(NameAddr.parse(value).uri)
        return path

    def _check_flows(self, contacts: list[Contact], default: int | None) -> None:
        """RFC 5626 section 6: a REGISTER makes one flow."""
        made = [c for c in contacts if (c.expires if c.expires is not None else default) != 0]
        if len(made) > 1 and any(contact.reg_id for contact in made):
            raise Refused(400, b"More than one Contact with reg-id")

    def _read_contact(self, contact: Contact, default: int | None) -> None:
        expires = self._granted(contact.expires, default)
        if contact.reg_id and not self._on_flow(contact):
            contact = contact._replace(reg_id=0)
        if b";gr" in contact.uri:
            self._check_gruu(contact.uri)
        binding = self._binding(contact, self._now + expires)
        key = binding.key
        old = self._same(contact, key)
        if old is not None:
            check_order(self._request, self._known[old])
        if not expires:
            self._changes[old or key] = None
            return
        self._changes[key] = binding
        if old is not None and old != key:  # in its place, under another name
            self._changes[old] = None

    def _on_flow(self, contact: Contact) -> bool:
        """Whether the reg-id counts, RFC 5626 section 6; then the answer says so."""
        request, settings = self._request, self._settings
        wanted = b"outbound" in self._tags
        if not settings.outbound:
            return False
        if len(request.values(b"via")) > 1 and not _has_ob(self._path):
            if wanted:
                raise Refused(439, b"First Hop Lacks Outbound Support")
            return False
        if wanted:
            self.headers.append((b"Require", b"outbound"))
            if settings.flow_timer and not self._path:
                self.headers.append((b"Flow-Timer", b"%d" % settings.flow_timer))
        return True

    def _check_gruu(self, uri: bytes) -> None:
        """RFC 5627 section 5.1: a GRUU of ours as a contact would lead in a circle."""
        parsed = Uri.parse(uri)
        if b"gr" in parsed.params and parsed.host in self._settings.domains:
            raise Refused(403, b"Contact is a GRUU")

    def _granted(self, wanted: int | None, default: int | None) -> int:
        settings = self._settings
        if wanted is None:
            wanted = settings.default_expires if default is None else default
        if 0 < wanted < settings.min_expires:
            raise Refused(423, headers=((b"Min-Expires", b"%d" % settings.min_expires),))
        return min(wanted, settings.max_expires)

    def _same(self, contact: Contact, key: bytes) -> bytes | None:
        """The key of the known contact that this one is about, by section 19.1.4 or by its instance."""
        known = self._known
        if key in known or not known or contact.reg_id:
            return key if key in known else None
        if contact.instance and self._settings.matching is Matching.INSTANCE:
            for other, binding in known.items():
                if binding.instance == contact.instance and binding.is_live(self._now):
                    return other
        wanted = Uri.parse(contact.uri)
        return next((k for k, b in known.items() if not b.reg_id and Uri.parse(b.uri).matches(wanted)), None)

    def _check_count(self) -> None:
        settings = self._settings
        if len(self._known) + len(self._changes) <= settings.max_contacts:
            return
        made = [key for key, binding in self._changes.items() if binding is not None]
        kept = [
            (binding.updated_at, key)
            for key, binding in self._known.items()
            if binding.is_live(self._now) and key not in self._changes
        ]
        surplus = len(kept) + len(made) - settings.max_contacts
        if surplus <= 0:
            return
        if settings.max_contacts_policy is MaxContactsPolicy.REFUSE or surplus > len(kept):
            raise Refused(403, b"Too many contacts, the limit is %d" % settings.max_contacts)
        self._changes.update((key, None) for _, key in sorted(kept)[:surplus])

    def _binding(self, contact: Contact, expires_at: float) -> Binding:
        request = self._request
        return Binding(
            contact.uri,
            call_id=request.call_id,
            cseq=request.cseq,
            expires_at=expires_at,
            q=contact.q,
            path=self._path,
            received=self._received,
            instance=contact.instance,
            reg_id=contact.reg_id,
            params=contact.params,
            flags=self._flags,
            user_agent=self._registrar.agent(request),
        )


def check_order(request: Request, binding: Binding) -> None:
    """Section 10.3 step 7: within one Call-ID the CSeq only grows."""
    if binding.call_id == request.call_id and request.cseq < binding.cseq:
        raise Refused(400, b"CSeq is lower than that of an earlier REGISTER")


def _has_ob(path: tuple[bytes, ...]) -> bool:
    """Whether the first proxy on the way understood outbound: it wrote the last Path value."""
    return bool(path) and b"ob" in Uri.parse(NameAddr.parse(path[-1]).uri).params
