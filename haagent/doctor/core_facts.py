"""IO shell: asks the SIP core beside the agent, in its own way, once."""

import asyncio
from pathlib import Path

from haagent.config.core import CoreConfig, PolledConfig, SipcoreConfig
from haagent.control.client import AgentUnreachableError, ControlClient, RefusedError
from haagent.notify.dialects import CoreSilentError, open_dialect

ASK_SECONDS = 2.0


def core_answers(core: CoreConfig, node: str) -> tuple[bool, str | None]:
    """Whether it is ready, and the reason when it does not answer."""
    if not isinstance(core, SipcoreConfig):
        return asyncio.run(_probe(core, node))
    try:
        status = ControlClient(Path(core.control), ASK_SECONDS).get("/v1/status")
    except (AgentUnreachableError, RefusedError) as error:
        return False, str(error).replace("no agent at", "no SIP core at").partition("; is `haagent run`")[0]
    return bool(isinstance(status, dict) and status.get("ready")), None


async def _probe(core: PolledConfig, node: str) -> tuple[bool, str | None]:
    dialect = open_dialect(core, node)
    try:
        async with asyncio.timeout(core.timeout):
            await dialect.probe()
    except CoreSilentError as error:
        return False, str(error)
    except TimeoutError:
        return False, f"no answer within {core.timeout:g} s"
    finally:
        await dialect.close()
    return True, None
