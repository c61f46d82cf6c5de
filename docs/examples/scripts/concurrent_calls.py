"""At most two calls of each user at a time, thirty over a trunk, each at most two hours: profiles count."""

from sipcore.script import *


@request_route
async def main(call: Call) -> None:
    """A registrar and proxy; the config declares the profiles `caller` and `trunk`."""
    if await is_method(call, "REGISTER"):
        if await www_authorize(call):
            await save(call, "location")
        else:
            await www_challenge(call)
        return
    if await has_totag(call):
        await loose_route(call)
        if await may_relay(call):
            await relay(call)
        else:
            await sl_send_reply(call, 481)
        return
    if not await proxy_authorize(call):
        await proxy_challenge(call)
        return
    await consume_credentials(call)
    if await is_method(call, "INVITE") and not await has_room(call):
        return
    await record_route(call)
    if await lookup(call, "location"):
        await relay(call)
    else:
        await sl_send_reply(call, 404)


async def has_room(call: Call) -> bool:
    """Count the call; False: it was refused."""
    if not await set_dlg_profile(call, "caller", call.fU, limit=2):
        await sl_send_reply(call, 403, "Too Many Calls")
        return False
    if call.rU.startswith("00") and not await set_dlg_profile(call, "trunk", "carrier-1", limit=30):
        await sl_send_reply(call, 503, "Trunk Is Full")
        return False
    await set_dlg_timeout(call, 7200)
    await set_dlg_pings(call)
    return True
