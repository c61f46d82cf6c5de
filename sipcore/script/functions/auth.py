"""Sans-IO: digest authentication. OpenSIPS: auth and auth_db."""

from sipcore.auth.digest import DigestAuth, Verdict, parse_credentials
from sipcore.message import NameAddr, Uri
from sipcore.proxy.call import Change, HeaderEdit
from sipcore.proxy.settings import Refused
from sipcore.script.call import Call
from sipcore.script.errors import RouteError
from sipcore.script.run import Until

_WWW, _PROXY = b"Authorization", b"Proxy-Authorization"


async def www_authorize(call: Call) -> bool:
    """Whether the Authorization header proves one of our users; then `call.au` is his name.

    OpenSIPS: www_authorize(realm, "subscriber").
    """
    return await _authorize(call, proxy=False)


async def proxy_authorize(call: Call) -> bool:
    """Whether the Proxy-Authorization header proves one of our users; then `call.au` is his name.

    OpenSIPS: proxy_authorize(realm, "subscriber").
    """
    return await _authorize(call, proxy=True)


async def www_challenge(call: Call) -> None:
    """Answer 401, or what else `www_authorize` found. OpenSIPS: www_challenge(realm)."""
    _challenge(call, proxy=False)


async def proxy_challenge(call: Call) -> None:
    """Answer 407, or what else `proxy_authorize` found. OpenSIPS: proxy_challenge(realm)."""
    _challenge(call, proxy=True)


async def authenticate(call: Call) -> bool:
    """Whether who calls in the name of a user of ours has proved it; if not, he is answered: 407 or 403.

    Who does not claim to be one of ours passes. OpenSIPS: proxy_authorize() and proxy_challenge() in one.
    """
    caller = Uri.parse(NameAddr.parse(call.proxy_call.request.first(b"from") or b"").uri)
    if not call.services.proxy.is_ours(caller):
        return True
    if not await proxy_authorize(call):
        await proxy_challenge(call)
        return False
    if call.proxy_call.user != caller.user:
        raise Refused(403, b"Not your address-of-record")
    return True


async def consume_credentials(call: Call) -> None:
    """Take our credentials out of what is relayed; those for other realms stay.

    OpenSIPS: consume_credentials().
    """
    auth, passing = _auth(call), call.proxy_call
    for name in (_WWW, _PROXY):
        lines = passing.request.lines(name.lower())
        others = [line for line in lines if (parse_credentials(line) or {}).get(b"realm") != auth.realm]
        if len(others) < len(lines):
            passing.edits.append(HeaderEdit(Change.REMOVE, name))
            passing.edits += [HeaderEdit(Change.APPEND, name, line) for line in others]


async def db_check_from(call: Call) -> bool:
    """Whether the user of the From URI is the one who was authenticated. OpenSIPS: db_check_from()."""
    return bool(call.proxy_call.user) and call.proxy_call.user == _user(call, b"from")


async def db_check_to(call: Call) -> bool:
    """Whether the user of the To URI is the one who was authenticated. OpenSIPS: db_check_to()."""
    return bool(call.proxy_call.user) and call.proxy_call.user == _user(call, b"to")


async def _authorize(call: Call, *, proxy: bool) -> bool:
    auth, passing = _auth(call), call.proxy_call
    if passing.user:
        return True
    while True:
        verdict = auth.check(passing.request, passing.now, proxy=proxy, source=passing.source)
        if verdict.pending is None:
            break
        await Until(verdict.pending.then)
    call.verdict = verdict
    if verdict.user is None:
        return False
    passing.user = verdict.user
    return True


def _challenge(call: Call, *, proxy: bool) -> None:
    auth, passing = _auth(call), call.proxy_call
    verdict = call.verdict
    if verdict is None or verdict.user is not None:
        status = 407 if proxy else 401
        verdict = Verdict(None, status, auth.challenge(passing.now, proxy=proxy))
    call.decided = True
    headers = (*verdict.headers, *(call.reply_headers or ()))
    call.services.proxy.reply(passing, verdict.status, b"", headers)


def _auth(call: Call) -> DigestAuth:
    if call.services.auth is None:
        raise RouteError("there are no users: the core was put together without [auth]")
    return call.services.auth


def _user(call: Call, name: bytes) -> bytes:
    return Uri.parse(NameAddr.parse(call.proxy_call.request.first(name) or b"").uri).user
