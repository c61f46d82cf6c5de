"""Sans-IO: whether a message comes from behind a NAT: the tests of OpenSIPS's `nat_uac_test`.

Deviations: `private-via` looks at the top Via only, as Kamailio does.
"""

from enum import IntFlag
from functools import lru_cache
from ipaddress import ip_address, ip_network

from sipcore.errors import ParseError
from sipcore.message import NameAddr, Request, Response, Uri
from sipcore.message.sdp import Sdp, find
from sipcore.message.uri import MAX_REFERENCE
from sipcore.transport.layer import DEFAULT_PORT, Hop


class NatTest(IntFlag):
    """The tests, with the numbers that OpenSIPS and Kamailio give them."""

    PRIVATE_CONTACT = 1  # the host of Contact is a private address
    DIFF_IP_SRC_VIA = 2  # it came from another address than its Via says
    PRIVATE_VIA = 4  # the host of the top Via is a private address
    PRIVATE_SDP = 8  # a c= of its session description is a private address
    DIFF_PORT_SRC_VIA = 16  # it came from another port than its Via says
    DIFF_IP_SRC_CONTACT = 32  # it came from another address than its Contact says
    DIFF_PORT_SRC_CONTACT = 64  # it came from another port than its Contact says
    CARRIER_GRADE_NAT = 128  # private is also 100.64.0.0/10 (RFC 6598) and 192.0.0.0/29 (RFC 6333)

    @classmethod
    def of(cls, name: str) -> "NatTest":
        """The test with OpenSIPS's name, such as "diff-ip-src-via"."""
        return cls[name.replace("-", "_").upper()]


_VIA = int(NatTest.DIFF_IP_SRC_VIA | NatTest.PRIVATE_VIA | NatTest.DIFF_PORT_SRC_VIA)
_CONTACT = int(NatTest.PRIVATE_CONTACT | NatTest.DIFF_IP_SRC_CONTACT | NatTest.DIFF_PORT_SRC_CONTACT)
_DIFF_IP_VIA, _PRIVATE_VIA = int(NatTest.DIFF_IP_SRC_VIA), int(NatTest.PRIVATE_VIA)
_DIFF_PORT_VIA, _PRIVATE_SDP = int(NatTest.DIFF_PORT_SRC_VIA), int(NatTest.PRIVATE_SDP)
_CARRIER_GRADE = int(NatTest.CARRIER_GRADE_NAT)
DEFAULT_TESTS = _DIFF_IP_VIA | _DIFF_PORT_VIA

_PRIVATE = [ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")]
_SHARED = [ip_network(text) for text in ("100.64.0.0/10", "192.0.0.0/29")]


def nat_uac_test(message: Request | Response, source: Hop, tests: int) -> bool:
    """Whether any of these tests says that the sender is behind a NAT.

    Ports tell nothing over a connection: its source port is a passing one.
    """
    if tests & _VIA and _test_via(message, source, tests):
        return True
    if tests & _CONTACT and _test_contact(message, source, tests):
        return True
    return bool(tests & _PRIVATE_SDP) and _has_private_sdp(message, tests & _CARRIER_GRADE)


def _test_via(message: Request | Response, source: Hop, tests: int) -> bool:
    via = message.top_via
    host = via.host
    if tests & _DIFF_IP_VIA and host.strip(b"[]").decode("latin-1") != source.host:
        return True
    if tests & _DIFF_PORT_VIA and source.transport == "udp" and (via.port or DEFAULT_PORT) != source.port:
        return True
    return bool(tests & _PRIVATE_VIA) and is_private(host, tests & _CARRIER_GRADE)


def _test_contact(message: Request | Response, source: Hop, tests: int) -> bool:
    value = message.first(b"contact")
    if value is None or value == b"*":
        return False
    try:
        uri = Uri.parse(NameAddr.parse(message.values(b"contact")[0] if b"," in value else value).uri)
    except ParseError:
        return False
    if tests & NatTest.PRIVATE_CONTACT and is_private(uri.host, tests & _CARRIER_GRADE):
        return True
    if tests & NatTest.DIFF_IP_SRC_CONTACT and uri.host.strip(b"[]").decode("latin-1") != source.host:
        return True
    if not tests & NatTest.DIFF_PORT_SRC_CONTACT or source.transport != "udp":
        return False
    return (uri.port or DEFAULT_PORT) != source.port


def _has_private_sdp(message: Request | Response, carrier_grade: int) -> bool:
    place = find(message.first(b"content-type") or b"", message.body) if message.body else None
    if place is None:
        return False
    try:
        described = Sdp.parse(message.body[place[0] : place[1]])
    except ParseError:
        return False
    return any(is_private(address.host, carrier_grade) for address in described.connections())


def is_private(host: bytes, carrier_grade: int = 0) -> bool:
    """Whether this host (a name never is) has an address of a private network: RFC 1918, RFC 4193."""
    return len(host) <= MAX_REFERENCE and _is_private(host, carrier_grade)


@lru_cache(4096)
def _is_private(host: bytes, carrier_grade: int) -> bool:
    try:
        address = ip_address(host.strip(b"[]").decode("ascii", "replace"))
    except ValueError:
        return False
    networks = _PRIVATE + _SHARED if carrier_grade else _PRIVATE
    return any(address in network for network in networks)
