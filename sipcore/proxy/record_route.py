"""Sans-IO: Record-Route, loose routing and strict routing, RFC 3261 sections 16.4, 16.6 and 16.12."""

from collections.abc import Callable
from typing import NamedTuple

from sipcore.message import NameAddr, Request, Uri


class RouteInfo(NamedTuple):
    """A request after section 16.4: where it is to go before any lookup."""

    uri: bytes  # Request-URI
    routes: list[bytes]  # Route values that are left
    removed: int  # Route values cut from the front
    rewritten: bool  # a strict router put our own URI into the Request-URI: all Routes are written anew


def route_information(request: Request, is_us: Callable[[bytes], bool]) -> RouteInfo:
    """Section 16.4: undo what a strict router did, cut the Route values that are ours."""
    if request.first(b"route") is None:
        return RouteInfo(request.uri, [], 0, rewritten=False)
    routes = request.values(b"route")
    uri, rewritten = request.uri, False
    if is_record_route(uri) and is_us(uri):
        uri, rewritten = NameAddr.parse(routes.pop()).uri, True
    removed = 0
    while routes and is_us(NameAddr.parse(routes[0]).uri):
        del routes[0]
        removed += 1
    return RouteInfo(uri, routes, removed, rewritten)


def record_route(host: bytes, port: int) -> bytes:
    """The value that we put into Record-Route."""
    return b"<sip:%b:%d;lr>" % (host, port)


def is_record_route(uri: bytes) -> bool:
    """Whether this is a URI of the form that we put into Record-Route: no user, `lr`."""
    return b";lr" in uri and b"@" not in uri


def is_loose(route: bytes) -> bool:
    """Whether the router behind this Route value is a loose one, section 16.12."""
    return b"lr" in Uri.parse(NameAddr.parse(route).uri).params
