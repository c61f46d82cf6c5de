"""Sans-IO: the default script: a registrar and proxy for the users of the domains in the config.

A server without `[script]` does the same, in code that costs less. To change something, copy this file, put
its path into the config (`[script] path`), edit, `sipcore check`, `sipcore reload`.
"""

from sipcore.script import (
    Call,
    append_to_reply,
    authenticate,
    does_uri_exist,
    has_totag,
    is_method,
    is_myself,
    lookup,
    loose_route,
    may_relay,
    record_route,
    relay,
    request_route,
    route_given,
    save,
    sipmsg_validate,
    sl_send_reply,
    www_authorize,
    www_challenge,
)

# True: who calls in the name of a user of ours must prove it, not only who registers ([proxy] authenticate).
AUTHENTICATE_CALLS = False
# False: who is no user of ours gets 404 instead of the 480 of who is away ([proxy] hide_users).
HIDE_USERS = True
SCHEMES = ("sip", "tel")  # and "sips" where there is a TLS listener
METHODS = "INVITE|ACK|BYE|CANCEL|REGISTER|OPTIONS|PRACK|SUBSCRIBE|NOTIFY|PUBLISH|INFO|REFER|MESSAGE|UPDATE"
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, REGISTER, MESSAGE, SUBSCRIBE, NOTIFY, REFER, INFO, UPDATE, PRACK"


@request_route
async def main(call: Call) -> None:
    """Every request comes here, also the ACK to a 2xx; what a route does not relay it answers."""
    if await is_method(call, "REGISTER") and await is_myself(call):
        await register(call)
        return
    await sipmsg_validate(call)  # answers 483, 482 or 420 by itself, and the route ends there
    along = await loose_route(call)
    if call.scheme not in SCHEMES:
        await sl_send_reply(call, 416)
        return
    if along and await has_totag(call):  # a request within a dialog follows the route that the dialog has
        if await is_myself(call) and not await route_given(call):
            await to_user(call)
        elif await may_relay(call):
            await relay(call)
        else:
            await sl_send_reply(call, 481)  # a stranger's, with a To tag that he made up
        return
    if AUTHENTICATE_CALLS and not await is_method(call, "ACK|CANCEL") and not await authenticate(call):
        return
    if await is_method(call, "INVITE|SUBSCRIBE|REFER") and not await has_totag(call):
        await record_route(call)
    if await route_given(call) or not (call.scheme == "tel" or await is_myself(call)):
        await send_out(call)
    else:
        await to_user(call)


async def register(call: Call) -> None:
    """A REGISTER of one of our domains."""
    if await www_authorize(call):
        await save(call, "location")
    else:
        await www_challenge(call)


async def send_out(call: Call) -> None:
    """To another domain: for our own users only."""
    if await may_relay(call):
        await relay(call)
    else:
        await sl_send_reply(call, 404, "Domain not served here")


async def to_user(call: Call) -> None:
    """To where one of our users is registered."""
    if not call.rU:
        await to_this_server(call)
    elif await lookup(call, "location"):
        await relay(call)
    elif not HIDE_USERS and not await does_uri_exist(call):
        await sl_send_reply(call, 404)
    else:
        if call.scheme == "sips":  # RFC 5630: there is no sips contact
            await append_to_reply(call, "Warning", f'380 {call.rd} "SIPS Not Allowed"')
        await sl_send_reply(call, 480)  # also for a user whom there is not: strangers need not know


async def to_this_server(call: Call) -> None:
    """To nobody: a question to this server itself."""
    if await is_method(call, "OPTIONS"):
        await append_to_reply(call, "Allow", ALLOW)
        await append_to_reply(call, "Accept", "application/sdp")
        await sl_send_reply(call, 200)
    elif await is_method(call, METHODS):
        await sl_send_reply(call, 404)
    else:
        await sl_send_reply(call, 501)  # a method that nobody here knows
