"""IO shell: the SIP core beside the agent, whichever it is."""

from collections.abc import Callable
from typing import Any, Protocol

from haagent.config.core import CoreConfig, SipcoreConfig
from haagent.notify.core import CoreLink
from haagent.notify.dialects import open_dialect
from haagent.notify.polled import PolledCore
from haagent.notify.told import CoreState, Told


class CoreAdapter(Protocol):
    """What the agent does with a core: tells it the role, and hears whether it lives and could serve."""

    connected: bool
    last: dict[str, Any]

    def tell(self, told: Told) -> None:
        """Have the core take this role; a newer one replaces what is still under way."""

    async def settle(self, seconds: float) -> None:
        """Wait until the core has the newest role, but not longer than this."""

    async def first_word(self, seconds: float) -> None:
        """Wait until the core has been heard, but not longer than this."""

    async def run(self) -> None:
        """Until cancelled."""


def open_core(
    config: CoreConfig,
    node: str,
    *,
    on_state: Callable[[CoreState], None],
    on_gone: Callable[[str], None],
    on_told: Callable[[Told, float], None],
) -> CoreAdapter:
    """The adapter for this table."""
    if isinstance(config, SipcoreConfig):
        return CoreLink(config.control, on_state=on_state, on_gone=on_gone, on_told=on_told)
    dialect = open_dialect(config, node)
    return PolledCore(dialect, config, on_state=on_state, on_gone=on_gone, on_told=on_told)
