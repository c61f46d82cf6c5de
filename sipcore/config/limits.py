"""Sans-IO: the table of sipcore.toml about how much of a message is looked at."""

from typing import Annotated

import msgspec

from sipcore.config.kinds import Section


class Limits(Section, frozen=True):
    """What a message may have; more gets 400, 414 or 513, and is counted."""

    message_bytes: Annotated[int, msgspec.Meta(ge=1300, le=65535)] = 65535  # RFC 3261 section 18.1.1
    header_bytes: Annotated[int, msgspec.Meta(ge=1024, le=65535)] = 32768
    header_lines: Annotated[int, msgspec.Meta(ge=32, le=4096)] = 256
    vias: Annotated[int, msgspec.Meta(ge=8, le=1024)] = 128
    record_routes: Annotated[int, msgspec.Meta(ge=8, le=1024)] = 128
    uri_bytes: Annotated[int, msgspec.Meta(ge=128, le=32768)] = 2048
    values: Annotated[int, msgspec.Meta(ge=16, le=4096)] = 128
    params: Annotated[int, msgspec.Meta(ge=16, le=1024)] = 64
