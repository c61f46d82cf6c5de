"""Sans-IO: Record-Route, Route and Path. OpenSIPS: rr and path."""

from sipcore.script.call import Call
from sipcore.script.text import one_line


async def record_route(call: Call, params: str = "") -> None:
    """Stay on the way of the dialog; `params` such as ";pop=1" come back in its Routes.

    OpenSIPS: record_route(), add_rr_param(params).
    """
    call.services.proxy.record_route(call.proxy_call, one_line(params, "params"))


async def loose_route(call: Call) -> bool:
    """Cut our own Routes; True when the request follows a route set of ours. OpenSIPS: loose_route()."""
    return call.services.proxy.loose_route(call.proxy_call)


async def route_given(call: Call) -> bool:
    """After `loose_route`: whether Routes that are left, or a flow of ours, say where it goes.

    Then `relay` follows them, and there is nothing to look up. OpenSIPS: $du is set.
    """
    info = call.proxy_call.info
    return bool(info.routes) or info.flow is not None


async def add_path(call: Call) -> None:
    """Put us into the Path of a REGISTER that is relayed, RFC 3327. OpenSIPS: add_path()."""
    call.services.proxy.add_path(call.proxy_call)
