"""IO shell: the SIP core beside the agent, whichever it is."""

from collections.abc import Callable

from haagent.config.core import CoreConfig, SipcoreConfig
from haagent.notify.core import CoreLink
from haagent.notify.core_adapter import CoreAdapter
from haagent.notify.dialects import open_dialect
from haagent.notify.polled import PolledCore
from haagent.notify.told import CoreState, Told


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
