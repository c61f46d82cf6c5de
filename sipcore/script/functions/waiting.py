"""Sans-IO: time. OpenSIPS: async(sleep(...))."""

from sipcore.script.context import Context
from sipcore.script.errors import RouteError
from sipcore.script.run import Until

MAX_SLEEP = 60.0


async def sleep(context: Context, seconds: float) -> None:
    """Go on later; other messages are served meanwhile. OpenSIPS: async(sleep(seconds), resume_route)."""
    if not 0 <= seconds <= MAX_SLEEP:
        raise RouteError(f"sleep: {seconds:g} s is not in 0..{MAX_SLEEP:g}")
    wheel = context.services.proxy.wheel
    await Until(lambda done: wheel.schedule(context.now + seconds, done))
