"""Sans-IO: the tables [registrar], [auth] and [nat] of sipcore.toml."""

from typing import Annotated, Literal

import msgspec

from sipcore.config.kinds import Section, Within
from sipcore.duration import Seconds

NatTest = Literal[
    "private-contact",
    "diff-ip-src-via",
    "private-via",
    "private-sdp",
    "diff-port-src-via",
    "diff-ip-src-contact",
    "diff-port-src-contact",
    "carrier-grade-nat",
]


class Registrar(Section, frozen=True):
    """Limits and policies of a registration, RFC 3261 section 10.3, and what an address-of-record is."""

    # at most an hour may be refused as too brief
    min_expires: Annotated[Seconds, Within(1, 3600)] = Seconds(60)
    max_expires: Annotated[Seconds, Within(1, 604800)] = Seconds(3600)
    default_expires: Annotated[Seconds, Within(1, 604800)] = Seconds(3600)
    max_contacts: Annotated[int, msgspec.Meta(ge=1, le=100)] = 10
    max_contacts_policy: Literal["refuse", "replace-oldest"] = "refuse"
    matching: Literal["contact", "instance"] = "contact"
    path: Literal["lazy", "strict", "off"] = "lazy"
    service_route: Annotated[tuple[str, ...], msgspec.Meta(max_length=8)] = ()
    outbound: bool = True
    flow_timer: Annotated[Seconds, Within(0, 3600)] = Seconds(120)
    gruu: bool = True
    third_party_users: Annotated[tuple[str, ...], msgspec.Meta(max_length=1000)] = ()
    domain_aliases: dict[str, str] = msgspec.field(default_factory=dict)
    ignore_case: bool = False
    tel_domain: str = ""


class Auth(Section, frozen=True):
    """Digest authentication, RFC 7616: the realm, where its users are, and the file with the nonce key."""

    realm: str
    secret_file: str
    users_file: str = ""
    users_db: str = ""
    algorithms: Annotated[
        tuple[Literal["MD5", "SHA-256", "SHA-512-256"], ...], msgspec.Meta(max_length=3)
    ] = ()
    qop: Literal["auth", "auth-int"] = "auth"
    check_uri: bool = False
    nonce_life: Annotated[Seconds, Within(10, 3600)] = Seconds(300)
    failure_window: Annotated[Seconds, Within(1, 3600)] = Seconds(60)
    ban_after: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 0
    ban_time: Annotated[Seconds, Within(1, 604800)] = Seconds(600)


class Nat(Section, frozen=True):
    """Phones behind NAT: how they are told, how calls reach them, and how their way is kept open."""

    detect: Annotated[tuple[NatTest, ...], msgspec.Meta(max_length=8)] = (
        "diff-ip-src-via",
        "diff-port-src-via",
    )
    contact_alias: bool = True
    ping: Literal["off", "crlf", "options"] = "crlf"
    ping_interval: Annotated[Seconds, Within(5, 3600)] = Seconds(30)
    ping_all: bool = False
    max_pings_lost: Annotated[int, msgspec.Meta(ge=0, le=100)] = 3
