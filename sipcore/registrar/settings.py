"""Sans-IO: what the registrar is told: domains, limits, policies."""

from dataclasses import dataclass
from enum import StrEnum

from sipcore.nat.detect import DEFAULT_TESTS


class MaxContactsPolicy(StrEnum):
    """What becomes of a REGISTER with which an AOR would have too many contacts."""

    REFUSE = "refuse"  # 403
    REPLACE_OLDEST = "replace-oldest"  # the contact that was refreshed longest ago goes


class PathMode(StrEnum):
    """RFC 3327 section 5.3 leaves the choice to the registrar; the words are Kamailio's `path_mode`."""

    LAZY = "lazy"  # stored; shown in the 200 to phones that say that they understand it
    STRICT = "strict"  # 420 to phones that do not
    OFF = "off"  # not looked at; a phone that requires it gets 420


class Matching(StrEnum):
    """What makes two Contacts without reg-id the same one."""

    CONTACT = "contact"  # the URI, RFC 3261 section 10.3
    INSTANCE = "instance"  # also +sip.instance: a phone that comes back from elsewhere replaces itself


@dataclass(frozen=True, slots=True)
class RegistrarSettings:
    """Limits, in seconds; domains (with their aliases) in lower case."""

    domains: frozenset[bytes]
    min_expires: int = 60
    max_expires: int = 3600
    default_expires: int = 3600
    max_contacts: int = 10
    max_contacts_policy: MaxContactsPolicy = MaxContactsPolicy.REFUSE
    matching: Matching = Matching.CONTACT
    path_mode: PathMode = PathMode.LAZY
    service_route: tuple[bytes, ...] = ()  # RFC 3608: values for the 200
    outbound: bool = True  # RFC 5626
    flow_timer: int = 120  # seconds between keepalives that we ask for, RFC 5626 section 4.4.1; 0: none
    nat_tests: int = DEFAULT_TESTS  # bits of NatTest, any of which means that the phone is behind NAT
    third_party: frozenset[bytes] = frozenset()  # users who may register others, RFC 3261 section 10.2
    wall_offset: float = 0.0  # what is to be added to `now` to get the UTC time
