"""Sans-IO: dialogs, their values and profiles. OpenSIPS: dialog."""

from sipcore.dialog.dialog import Dialog, EndReason
from sipcore.dialog.settings import Side
from sipcore.script.call import Call
from sipcore.script.errors import RouteError


async def create_dialog(call: Call) -> bool:
    """Follow the call that this INVITE begins; DialogError: no room. OpenSIPS: create_dialog()."""
    passing = call.proxy_call
    if passing.request.method != b"INVITE" or passing.request.to_tag:
        return False
    call.services.dialogs.create(passing.request, passing.now, passing.source)
    return True


async def set_dlg_profile(call: Call, profile: str, value: str = "", limit: int | None = None) -> bool:
    """Count the call in a profile; with a limit, False when there are so many already: one atomic step.

    OpenSIPS: set_dlg_profile("profile", value), with get_profile_size() before it.
    """
    return call.services.dialogs.enter_profile(await begun(call), profile, value, limit)


async def unset_dlg_profile(call: Call, profile: str, value: str = "") -> bool:
    """Take the call out of a profile; False: it was not in it. OpenSIPS: unset_dlg_profile("profile", v)."""
    dialog = find(call)
    return dialog is not None and call.services.dialogs.leave_profile(dialog, profile, value)


async def is_in_profile(call: Call, profile: str, value: str | None = None) -> bool:
    """Whether the call is in a profile, with this value or any. OpenSIPS: is_in_profile("profile", v)."""
    dialog = find(call)
    return dialog is not None and call.services.dialogs.in_profile(dialog, profile, value)


async def get_profile_size(call: Call, profile: str, value: str | None = None) -> int:
    """How many calls are in a profile, with this value or any. OpenSIPS: get_profile_size("profile", v)."""
    return call.services.dialogs.profiles.size(profile, value)


async def store_dlg_value(call: Call, name: str, value: str) -> None:
    """Keep a text with the dialog, over a takeover too. OpenSIPS: store_dlg_value("name", value)."""
    call.services.dialogs.store_value(await begun(call), name, value)


async def fetch_dlg_value(call: Call, name: str) -> str | None:
    """The text that was kept under this name, None without one. OpenSIPS: fetch_dlg_value("name", $var)."""
    dialog = find(call)
    return dialog.value(name) if dialog is not None else None


async def set_dlg_timeout(call: Call, seconds: float) -> None:
    """How long the call may last; then both sides get a BYE. OpenSIPS: $DLG_timeout."""
    call.services.dialogs.set_lifetime(await begun(call), seconds, call.now)


async def set_dlg_pings(call: Call, *, caller: bool = True, callee: bool = True) -> None:
    """Ask these ends of the call by OPTIONS whether they live. OpenSIPS: create_dialog("Pp")."""
    sides = (Side.CALLER if caller else Side(0)) | (Side.CALLEE if callee else Side(0))
    call.services.dialogs.set_pings(await begun(call), call.now, sides)


async def set_session_timer(call: Call, seconds: int) -> None:
    """Have the ends refresh this call at least so often (RFC 4028). OpenSIPS: sst module."""
    call.services.dialogs.set_session_timer(await begun(call), seconds)


async def dlg_end(call: Call) -> bool:
    """End the call with a BYE to both sides; False when there is none. OpenSIPS: dlg_end_dlg()."""
    dialog, keeper = find(call), call.services.keeper
    return dialog is not None and keeper is not None and keeper.end(dialog, EndReason.SCRIPT, call.now)


def find(call: Call) -> Dialog | None:
    """The dialog of the call, None when there is none."""
    return call.services.dialogs.find(call.reply if call.reply is not None else call.proxy_call.request)


async def begun(call: Call) -> Dialog:
    """The dialog of the call, made now when its INVITE has just come; RouteError: it cannot have one."""
    dialog = find(call)
    if dialog is None and await create_dialog(call):
        dialog = find(call)
    if dialog is None:
        raise RouteError(f"no dialog: this {call.method} begins none and belongs to none")
    return dialog
