"""Sans-IO: the tables [[cachedb]] of sipcore.toml: the stores that a script may use."""

from typing import Annotated

import msgspec

from sipcore.cachedb.url import CacheUrl
from sipcore.config.kinds import Section, Within
from sipcore.duration import Seconds
from sipcore.errors import ConfigError


class CacheStore(Section, frozen=True):
    """One store; a call to it takes no longer than its budget, and none is made while its breaker is open."""

    url: CacheUrl
    replicate: bool = False
    budget: Annotated[Seconds, Within(0.001, 5)] = Seconds(0.05)
    max_waiting: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1000
    breaker_failures: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 3
    breaker_pause: Annotated[Seconds, Within(0.05, 60)] = Seconds(0.5)
    breaker_longest_pause: Annotated[Seconds, Within(0.05, 3600)] = Seconds(10)


def check_store(store: CacheStore, key: str) -> None:
    """Only what is in this process goes to the peers; ConfigError names the key."""
    if store.replicate and store.url.scheme != "local":
        raise ConfigError(f"{key}.replicate: true is for local: stores; all nodes ask {store.url.id} itself")
