"""Sans-IO: the table [script] of sipcore.toml: the routing script and its limits."""

from typing import Annotated

import msgspec

from sipcore.config.kinds import Section, Within
from sipcore.duration import Seconds


class Script(Section, frozen=True):
    """A Python file with the routes; how long one may wait, and how many may wait at a time."""

    path: str
    time_limit: Annotated[Seconds, Within(0.1, 300)] = Seconds(10)
    max_waiting: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 10_000
