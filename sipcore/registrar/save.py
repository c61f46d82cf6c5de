"""Sans-IO: REGISTER, RFC 3261 section 10.3, with Path (RFC 3327) and +sip.instance stored (RFC 5626).

Deviations: a REGISTER with the CSeq of the one before and the same Call-ID is taken again instead of refused:
after a takeover that is the retransmission whose first 200 was lost. A lower CSeq gets 400. GRUU and outbound
flows are not built; Path is stored whether or not the phone says that it supports it (RFC 3327 section 5.3
leaves it open).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from sipcore.auth.digest import DigestAuth
from sipcore.errors import ParseError
from sipcore.location.binding import Binding, Flag
from sipcore.location.table import LocationTable
from sipcore.message import NameAddr, Request, Uri, build_response
from sipcore.transport.layer import Hop

SUPPORTED = frozenset({b"path"})
MAX_SECONDS = 2**32 - 1  # RFC 3261 section 20.19
SIP_PORT = 5060
Header = tuple[bytes, bytes]


class Responder(Protocol):
    """The server transaction of the REGISTER."""

    def respond(self, data: bytes, status: int, now: float, hold: bool = False) -> None:
        """Send this response; `hold`: not before the standby has what it promises."""


@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """Limits, in seconds; domains in lower case."""

    domains: frozenset[bytes]
    min_expires: int = 60
    max_expires: int = 3600
    default_expires: int = 3600
    max_contacts: int = 10


class Refused(Exception):
    """The answer to a REGISTER that changes nothing."""

    def __init__(self, status: int, reason: bytes = b"", headers: Iterable[Header] = ()) -> None:
        super().__init__(status, reason)
        self.status = status
        self.reason = reason
        self.headers = tuple(headers)


class Registrar:
    """Answers each REGISTER of our domains; a request takes effect as a whole or not at all."""

    def __init__(self, settings: RegistrarSettings, location: LocationTable, auth: DigestAuth | None) -> None:
        self.settings = settings
        self.location = location
        self.auth = auth

    def on_request(self, request: Request, source: Hop, tx: Responder, now: float) -> None:
        """Carry out the REGISTER and answer through its server transaction."""
        try:
            headers = self._register(request, source, now)
            status, reason = 200, b""
        except Refused as refused:
            status, reason, headers = refused.status, refused.reason, refused.headers
        except ParseError as error:
            status, reason, headers = error.status, str(error).encode()[:100], ()
        data = build_response(request, status, reason, to_tag=_to_tag(request), headers=headers)
        tx.respond(data, status, now, hold=status == 200)

    def _register(self, request: Request, source: Hop, now: float) -> tuple[Header, ...]:
        # The numbers are those of the steps in section 10.3.
        if Uri.parse(request.uri).host not in self.settings.domains:  # 1
            raise Refused(404, b"Domain not served here")
        unknown = [tag for tag in request.values(b"require") if tag.lower() not in SUPPORTED]  # 2
        if unknown:
            raise Refused(420, headers=[(b"Unsupported", b", ".join(unknown))])
        aor = self._authorized_aor(request, now)  # 3, 4, 5
        contacts = request.values(b"contact")
        if contacts == [b"*"]:  # 6
            self._remove_all(request, aor, now)
        elif contacts:  # 7
            self._save(request, source, aor, contacts, now)
        return tuple(_contact_header(binding, now) for binding in self.location.lookup(aor, now))  # 8

    def _authorized_aor(self, request: Request, now: float) -> bytes:
        uri = Uri.parse(NameAddr.parse(request.first(b"to") or b"").uri)
        if self.auth is not None:
            verdict = self.auth.check(request, now)
            if verdict.user is None:
                raise Refused(verdict.status, headers=verdict.headers)
            if verdict.user != uri.user:
                raise Refused(403, b"Not your address-of-record")
        if uri.host not in self.settings.domains or not uri.user:
            raise Refused(404)
        return uri.aor()

    def _remove_all(self, request: Request, aor: bytes, now: float) -> None:
        if _seconds(request.first(b"expires")) != 0:
            raise Refused(400, b"Contact * without Expires: 0")
        bindings = self.location.lookup(aor, now)
        for binding in bindings:
            _check_order(request, binding)
        for binding in bindings:
            self.location.remove(aor, binding.uri, call_id=request.call_id, cseq=request.cseq)

    def _save(self, request: Request, source: Hop, aor: bytes, contacts: list[bytes], now: float) -> None:
        default = _seconds(request.first(b"expires"))
        common = _Common.of(request, source)
        record = self.location.record(aor)
        known = dict(record.bindings) if record is not None else {}
        changes: dict[bytes, Binding | None] = {}
        for value in contacts:
            address = _contact(value)
            expires = self._granted(_seconds(address.params.get(b"expires")), default)
            key = _same_contact(address.uri, known)
            if key in known:
                _check_order(request, known[key])
            # an equal URI in another spelling is a new binding in place of the old one
            if key != address.uri:
                changes[key] = None
            changes[address.uri] = common.binding(request, address, now + expires) if expires else None
        live = {uri for uri, binding in known.items() if binding.is_live(now)}
        live |= {uri for uri, binding in changes.items() if binding is not None}
        live -= {uri for uri, binding in changes.items() if binding is None}
        if len(live) > self.settings.max_contacts:
            raise Refused(403, b"Too many contacts, the limit is %d" % self.settings.max_contacts)
        for uri, binding in changes.items():
            if binding is not None:
                self.location.save(aor, binding, now)
            else:
                self.location.remove(aor, uri, call_id=request.call_id, cseq=request.cseq)

    def _granted(self, wanted: int | None, default: int | None) -> int:
        settings = self.settings
        for seconds in (wanted, default, settings.default_expires):
            if seconds is not None:
                break
        assert seconds is not None
        if 0 < seconds < settings.min_expires:
            raise Refused(423, headers=[(b"Min-Expires", b"%d" % settings.min_expires)])
        return min(seconds, settings.max_expires)


@dataclass(slots=True)
class _Common:
    """What all bindings of one REGISTER share."""

    path: tuple[bytes, ...]
    received: Hop | None
    user_agent: bytes

    @staticmethod
    def of(request: Request, source: Hop) -> "_Common":
        path = tuple(request.values(b"path"))
        via = request.top_via
        sent_by = via.host.decode(errors="replace").strip("[]"), via.port or SIP_PORT
        # with a Path the NAT, if any, is the business of the first proxy on it
        nat = not path and sent_by != (source.host, source.port)
        return _Common(path, source if nat else None, request.first(b"user-agent") or b"")

    def binding(self, request: Request, address: NameAddr, expires_at: float) -> Binding:
        return Binding(
            address.uri,
            call_id=request.call_id,
            cseq=request.cseq,
            expires_at=expires_at,
            q=_q(address.params.get(b"q")),
            path=self.path,
            received=self.received,
            instance=(address.params.get(b"+sip.instance") or b"").strip(b'"'),
            flags=Flag.NAT if self.received is not None else 0,
            user_agent=self.user_agent,
        )


def _contact(value: bytes) -> NameAddr:
    if value == b"*":
        raise Refused(400, b"Contact * beside other contacts")
    address = NameAddr.parse(value)
    uri = Uri.parse(address.uri)
    if uri.scheme not in (b"sip", b"sips"):
        raise Refused(400, b"Contact is not a SIP URI")
    if uri.headers and b"<" not in value:  # section 20.10: then it must stand in <>
        raise Refused(400, b"Contact with headers outside of <>")
    return address


def _same_contact(uri: bytes, known: dict[bytes, Binding]) -> bytes:
    """The key of the known contact that is this one by section 19.1.4, else the URI itself."""
    if uri in known or not known:
        return uri
    wanted = Uri.parse(uri)
    return next((other for other in known if Uri.parse(other).matches(wanted)), uri)


def _check_order(request: Request, binding: Binding) -> None:
    if binding.call_id == request.call_id and request.cseq < binding.cseq:
        raise Refused(400, b"CSeq is lower than that of an earlier REGISTER")


def _seconds(text: bytes | None) -> int | None:
    if text is None:
        return None
    text = text.strip()
    # RFC 4475 section 3.1.2.4: a value out of range is a bad request
    if not text.isdigit() or len(text) > 10 or int(text) > MAX_SECONDS:
        raise Refused(400, b"Bad expires value")
    return int(text)


def _q(text: bytes | None) -> float:
    if text is None:
        return 1.0
    try:
        q = float(text) if len(text) <= 5 else -1.0
    except ValueError:
        q = -1.0
    if not 0 <= q <= 1:
        raise Refused(400, b"Bad q value")
    return q


def _contact_header(binding: Binding, now: float) -> Header:
    value = b"<%b>;expires=%d" % (binding.uri, max(round(binding.expires_at - now), 1))
    if binding.q != 1.0:
        value += b";q=%g" % binding.q
    if binding.instance:
        value += b';+sip.instance="%b"' % binding.instance
    return b"Contact", value


def _to_tag(request: Request) -> bytes:
    """The same on both nodes, so that a retransmission after a takeover gets the same answer."""
    return sha256(b"%b %b %d" % (request.call_id, request.from_tag, request.cseq)).hexdigest()[:16].encode()
