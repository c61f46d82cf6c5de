"""Sans-IO: the table [cdr] of sipcore.toml: of which calls records are kept, and where."""

from typing import Annotated, Literal

import msgspec

from sipcore.config.kinds import Section


class Cdr(Section, frozen=True):
    """Call detail records. `record`: of which calls, when the script says nothing about them."""

    path: Annotated[str, msgspec.Meta(pattern=r"^/.*[^/]$")]
    format: Literal["json", "csv"] = "json"
    record: Annotated[tuple[Literal["answered", "missed"], ...], msgspec.Meta(max_length=2)] = (
        "answered",
        "missed",
    )
    max_size: Annotated[int, msgspec.Meta(ge=0, le=2**40)] = 0
    max_waiting: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 100_000
