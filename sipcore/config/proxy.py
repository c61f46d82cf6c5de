"""Sans-IO: the table of sipcore.toml that says how requests are forwarded."""

from typing import Annotated, Literal

import msgspec

from sipcore.config.kinds import Section, Within
from sipcore.duration import Seconds


class Proxy(Section, frozen=True):
    """Limits of a request on its way, and what the default routes allow.

    `timer_c`: RFC 3261 section 16.6; `failover`: how long one address of several may say nothing;
    `relay`: who may send to foreign domains, our users or anyone; `recurse`: follow a 3xx;
    `tel_users`: a tel URI means the user with that number; `udp_limit`: bytes above
    which a request goes over TCP where there is a listener for it, 0 for never; `hide_users`: a user that
    there is not gets 480, as one that is away does, not 404.
    """

    timer_c: Annotated[Seconds, Within(1, 3600)] = Seconds(180)
    no_answer: Annotated[Seconds, Within(1, 3600)] = Seconds(180)
    failover: Annotated[Seconds, Within(0.5, 32)] = Seconds(5)
    max_branches: Annotated[int, msgspec.Meta(ge=1, le=64)] = 16
    max_transactions: Annotated[int, msgspec.Meta(ge=100, le=10_000_000)] = 100_000
    authenticate: bool = False
    relay: Literal["domains", "any"] = "domains"
    recurse: bool = False
    tel_users: bool = True
    hide_users: bool = True
    udp_limit: Annotated[int, msgspec.Meta(ge=0, le=65_000)] = 1300
