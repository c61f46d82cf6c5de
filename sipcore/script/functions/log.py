"""Sans-IO: the log. OpenSIPS: xlog."""

from sipcore.script.context import Context
from sipcore.script.errors import RouteError
from sipcore.script.levels import LEVELS


async def xlog(context: Context, level: str, message: str) -> None:
    """Write a line, after the answers of this batch have been sent: xlog(call, "L_INFO", f"from {call.si}").

    OpenSIPS: xlog("L_INFO", "from $si").
    """
    if level not in LEVELS:
        raise RouteError(f"xlog: {level!r} is not one of {', '.join(LEVELS)}")
    context.services.log(LEVELS[level], message, key=context.key)
