"""Users who register in one of several POPs and are called through any of them.

The store holds in which POPs an address-of-record is registered, not how: a row per AOR and POP, with a lease
that each re-registration renews. The POP that is called looks up its own contacts and adds a branch per other
POP; each of those looks up its own contacts only, as it alone knows the way through their NAT.
"""

from sipcore.script import *

MY_POP = "pop1"
POPS = {"pop1": "192.0.2.1:5060", "pop2": "192.0.2.2:5060", "pop3": "192.0.2.3:5060"}
STORE = "redis:location"
LEASE = 7200  # seconds: longer than registrar.max_expires, so that every refresh comes in time


def row(aor: str, pop: str) -> str:
    """The key of the row that says: this AOR is registered in this POP."""
    return f"aor:{aor}:{pop}"


@event_route("E_UL_AOR_INSERT")
async def registered_here(event: RaisedEvent) -> None:
    """The first contact of an AOR has come."""
    await cache_store(event, STORE, row(event.aor, MY_POP), "1", LEASE)


@event_route("E_UL_CONTACT_UPDATE")
async def still_here(event: RaisedEvent) -> None:
    """A contact was refreshed: so is the lease, and a row that the store has lost comes back."""
    await cache_store(event, STORE, row(event.aor, MY_POP), "1", LEASE)


@event_route("E_UL_AOR_DELETE")
async def gone_from_here(event: RaisedEvent) -> None:
    """The last contact of an AOR has gone."""
    await cache_remove(event, STORE, row(event.aor, MY_POP))


@request_route
async def main(call: Call) -> None:
    """A registrar and proxy of one POP."""
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
    if not await is_myself(call):
        await sl_send_reply(call, 403, "Relay Forbidden")
        return
    await record_route(call)
    found = await lookup(call, "location")
    if ";hop=" not in call.ru:  # it comes from a phone, not from another POP
        found = await other_pops(call) or found
    if found:
        await relay(call)
    else:
        await sl_send_reply(call, 480)


async def other_pops(call: Call) -> bool:
    """Add a branch for each other POP that the user is registered in."""
    found = False
    for pop, address in POPS.items():
        if pop != MY_POP and await cache_fetch(call, STORE, row(f"sip:{call.rU}@{call.rd}", pop)):
            found = await append_branch(call, f"sip:{call.rU}@{address};hop={MY_POP}") or found
    return found
