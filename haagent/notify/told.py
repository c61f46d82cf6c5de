"""Sans-IO: the role that a SIP core is to have, and what a core says of itself."""

from dataclasses import dataclass

import msgspec


class CoreState(msgspec.Struct):
    """What the SIP core says of itself; unknown fields are left alone."""

    pid: int = 0
    role: str = ""
    epoch: int = 0
    ready: bool = False
    synced: bool = False


@dataclass(slots=True)
class Told:
    """The role that the core is to have."""

    role: str
    epoch: int
    reason: str
