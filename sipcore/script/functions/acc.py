"""Sans-IO: which calls get a call detail record. OpenSIPS: acc."""

from sipcore.dialog.settings import Accounting
from sipcore.script.call import Call
from sipcore.script.errors import RouteError
from sipcore.script.functions.dialog import begun, find

# OpenSIPS: `missed` are the calls that were not answered, `failed` says that failures count, too
_FLAGS = {"cdr": Accounting.ANSWERED, "missed": Accounting.MISSED, "failed": Accounting.MISSED}


async def do_accounting(call: Call, backend: str = "log", flags: str = "cdr") -> None:
    """Keep records of this call: "cdr" if it is answered, "missed" if it is not, "cdr|missed" for both.

    OpenSIPS: do_accounting("log", "cdr|missed").
    """
    _check(backend)
    wanted = Accounting(0)
    for flag in flags.split("|"):
        if flag not in _FLAGS:
            raise RouteError(f"do_accounting: {flag!r} is not one of {', '.join(_FLAGS)}")
        wanted |= _FLAGS[flag]
    call.services.dialogs.account(await begun(call), wanted)


async def drop_accounting(call: Call, backend: str = "log") -> None:
    """Keep no record of this call, whatever the config says. OpenSIPS: drop_accounting("log")."""
    _check(backend)
    if find(call) is not None or not call.proxy_call.request.to_tag:
        call.services.dialogs.account(await begun(call), Accounting(0))


def _check(backend: str) -> None:
    if backend != "log":
        raise RouteError(f"accounting: {backend!r} is not 'log', the file of the config's [cdr]")
