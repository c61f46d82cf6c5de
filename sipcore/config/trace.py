"""Sans-IO: the table [trace] of sipcore.toml: where copies of all messages go."""

from typing import Annotated, Literal

import msgspec

from sipcore.config.kinds import HostPort, Section


class Trace(Section, frozen=True):
    """Capture servers that speak HEPv3, and what they are told.

    `sample`: the part of all calls that is sent, whole calls each. `secrets`: whether they get the digest
    responses, nonces and media keys too.
    """

    hep: Annotated[tuple[HostPort, ...], msgspec.Meta(max_length=4)] = ()
    transport: Literal["udp", "tcp"] = "udp"
    capture_id: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 2001
    key_file: str = ""
    sample: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    secrets: bool = False
