"""Sans-IO: whose a request is. OpenSIPS: the core's is_myself, uri's does_uri_exist."""

from sipcore.errors import ParseError
from sipcore.message import Uri
from sipcore.script.call import Call
from sipcore.script.text import wire


async def is_myself(call: Call, uri: str = "") -> bool:
    """Whether this URI or host, or the Request-URI, is in our domains or names this node.

    OpenSIPS: is_myself(host).
    """
    if not uri:
        return call.services.proxy.is_ours(call.proxy_call.target_uri)
    try:
        return call.services.proxy.is_ours(Uri.parse(wire(uri if ":" in uri else f"sip:{uri}")))
    except ParseError:
        return False


async def does_uri_exist(call: Call) -> bool:
    """Whether the Request-URI is the address of one of our users. OpenSIPS: does_uri_exist()."""
    return call.services.proxy.is_user(call.proxy_call.target_uri)


async def may_relay(call: Call) -> bool:
    """Whether the sender may call foreign domains by the config (`proxy.relay`): no open relay.

    OpenSIPS: the test of is_myself("$fd") before t_relay() in its default script.
    """
    return call.services.proxy.may_relay(call.proxy_call)
