"""Sans-IO: [announce] of haagent.toml: how often a master tells the link where its addresses are."""

from collections.abc import Iterator
from typing import Annotated

from msgspec import Meta

from haagent.config.kinds import Duration, Section, Switchable, milliseconds

MAX_REPEATS = 16
MAX_DELAY = 60.0
MIN_REFRESH, MAX_REFRESH = 1.0, 3600.0


class AnnounceConfig(Section, frozen=True, kw_only=True):
    """[announce]: gratuitous ARP and unsolicited neighbour advertisements after a takeover."""

    repeats: Annotated[tuple[Duration, ...], Meta(max_length=MAX_REPEATS)] = (
        Duration(0.05),
        Duration(0.2),
        Duration(1.0),
    )
    refresh: Switchable = Switchable(0.0)


def announce_problems(announce: AnnounceConfig) -> Iterator[str]:
    """What is wrong with it."""
    before = 0.0
    for index, delay in enumerate(announce.repeats):
        if not before < delay <= MAX_DELAY:
            limit = f"{milliseconds(before)}..{milliseconds(MAX_DELAY)}"
            yield f"announce.repeats[{index}]: {milliseconds(delay)} is not in {limit}, after the last one"
        before = delay
    if announce.refresh and not MIN_REFRESH <= announce.refresh <= MAX_REFRESH:
        yield f'announce.refresh: {milliseconds(announce.refresh)} is not "off" or in 1s..1h'
