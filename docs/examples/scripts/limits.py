"""No more than so many calls at a time per user: counted over all POPs in a store, per node in a profile."""

from sipcore.script import *

STORE = "redis:calls"
LIMIT = 1
LEASE = 3 * 3600  # seconds: a counter that nobody touches any more goes away


@request_route
async def main(call: Call) -> None:
    """A registrar and proxy that counts the calls of its users."""
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
    if not await lookup(call, "location"):
        await sl_send_reply(call, 404)
        return
    if await is_method(call, "INVITE") and not await admitted(call):
        await sl_send_reply(call, 403, "Too Many Calls")
        return
    await record_route(call)
    await relay(call)


async def admitted(call: Call) -> bool:
    """Count the call; False when the caller has as many as he may have. A store that is away refuses none."""
    key = f"calls:{call.fU}"
    calls = await cache_add(call, STORE, key, 1, LEASE)
    if calls is not None and calls > LIMIT:
        await cache_sub(call, STORE, key, 1, LEASE)
        return False
    await create_dialog(call)
    await set_dlg_profile(call, "caller", call.fU)
    if calls is not None:
        await store_dlg_value(call, "counted", key)
    return True


@event_route("E_DLG_STATE_CHANGED")
async def ended(event: RaisedEvent) -> None:
    """A call is over, however it ended: count it down."""
    change = event.subject
    key = change.dialog.value("counted")
    if change.new.name == "DELETED" and key is not None:
        await cache_sub(event, STORE, key, 1, LEASE)
