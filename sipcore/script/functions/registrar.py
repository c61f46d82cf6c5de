"""Sans-IO: registrations. OpenSIPS: registrar and usrloc."""

from sipcore.errors import ParseError
from sipcore.message import Uri
from sipcore.script.call import Call
from sipcore.script.errors import RouteError
from sipcore.script.text import wire

TABLE = "location"


async def save(call: Call, domain: str = TABLE) -> bool:
    """Carry out a REGISTER and answer it; True when it was 200. OpenSIPS: save("location").

    Authenticate before it: `www_authorize`. Whoever was authenticated may register his own address only.
    """
    _only_table(domain)
    registrar, passing = call.services.registrar, call.proxy_call
    if passing.tx is None:
        return False
    answer = registrar.save(passing.request, passing.source, passing.now, user=passing.user or None)
    if call.reply_headers:
        answer = answer._replace(headers=(*answer.headers, *call.reply_headers))
    call.decided = True
    registrar.answer(passing.request, answer, passing.tx, passing.now)
    return answer.status == 200


async def lookup(call: Call, domain: str = TABLE) -> bool:
    """Add the contacts of the user in the Request-URI to the target set; False when there are none.

    OpenSIPS: lookup("location").
    """
    _only_table(domain)
    return call.services.proxy.lookup(call.proxy_call)


async def registered(call: Call, domain: str = TABLE, aor: str = "") -> bool:
    """Whether this AOR, or the one in the Request-URI, has a contact now.

    OpenSIPS: registered("location", aor).
    """
    _only_table(domain)
    return bool(call.services.location.find(_aor(call, aor), call.proxy_call.now))


async def unregister(call: Call, domain: str = TABLE, aor: str = "", contact: str = "") -> int:
    """Remove this contact, or all, of an AOR; how many it was. OpenSIPS: remove("location", aor, contact)."""
    _only_table(domain)
    location, request = call.services.location, call.proxy_call.request
    key = location.aor(_aor(call, aor))
    wanted = wire(contact)
    found = [b for b in location.lookup(key, call.proxy_call.now) if wanted in (b"", b.uri)]
    for binding in found:
        location.remove(key, binding.key, call_id=request.call_id, cseq=request.cseq)
    return len(found)


def _only_table(domain: str) -> None:
    if domain != TABLE:
        raise RouteError(f"{domain!r}: the only table is {TABLE!r}")


def _aor(call: Call, aor: str) -> Uri:
    if not aor:
        return call.proxy_call.target_uri
    try:
        return Uri.parse(wire(aor if ":" in aor else f"sip:{aor}"))
    except ParseError as error:
        raise RouteError(f"{aor[:60]!r} is no address-of-record: {error}") from None
