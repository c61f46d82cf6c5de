"""Sans-IO: phones behind NAT: noticed, reached, kept reachable (OpenSIPS nathelper, Kamailio's alias)."""

from sipcore.nat.detect import NatTest, nat_uac_test
from sipcore.nat.fix import (
    add_contact_alias,
    fix_nated_contact,
    fix_nated_sdp,
    force_rport,
    handle_ruri_alias,
)
from sipcore.nat.keepalive import Keepalive, KeepaliveSettings, PingMethod

__all__ = [
    "Keepalive",
    "KeepaliveSettings",
    "NatTest",
    "PingMethod",
    "add_contact_alias",
    "fix_nated_contact",
    "fix_nated_sdp",
    "force_rport",
    "handle_ruri_alias",
    "nat_uac_test",
]
