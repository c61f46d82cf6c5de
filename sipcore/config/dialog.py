"""Sans-IO: the table [dialog] of sipcore.toml: which calls are followed, how long, what ends them."""

import re
from typing import Annotated, Literal

import msgspec

from sipcore.config.kinds import Section, Within
from sipcore.duration import Seconds
from sipcore.errors import ConfigError

LEAST_SESSION = 90  # seconds, RFC 4028 section 5
_PROFILE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,31}(/s)?")


class Dialog(Section, frozen=True):
    """Calls that are followed: how many, how long, what is asked of their ends, profiles."""

    track: Literal["all", "script"] = "all"
    max_dialogs: Annotated[int, msgspec.Meta(ge=1, le=10_000_000)] = 200_000
    lifetime: Annotated[Seconds, Within(1, 604800)] = Seconds(12 * 3600)
    early_timeout: Annotated[Seconds, Within(60, 86400)] = Seconds(3600)
    ack_timeout: Annotated[Seconds, Within(1, 3600)] = Seconds(64)
    bye_on_timeout: bool = True
    ping: Literal["none", "caller", "callee", "both"] = "none"
    ping_interval: Annotated[Seconds, Within(1, 3600)] = Seconds(30)
    session_expires: Annotated[Seconds, Within(0, 86400)] = Seconds(0)
    min_session_expires: Annotated[Seconds, Within(0, 86400)] = Seconds(0)
    session_bye: bool = False
    profiles: Annotated[tuple[str, ...], msgspec.Meta(max_length=64)] = ()


def check_dialog(dialog: Dialog) -> None:
    """What one key alone cannot say; ConfigError names key, value and limit."""
    for name in ("session_expires", "min_session_expires"):
        value = getattr(dialog, name)
        if 0 < value < LEAST_SESSION:
            raise ConfigError(f"dialog.{name}: {value:g}s is neither 0s (off) nor at least {LEAST_SESSION}s")
    if 0 < dialog.session_expires < dialog.min_session_expires:
        raise ConfigError(
            f"dialog.session_expires: {dialog.session_expires:g}s is less than min_session_expires, "
            f"which is {dialog.min_session_expires:g}s"
        )
    seen: set[str] = set()
    for index, profile in enumerate(dialog.profiles):
        key = f"dialog.profiles[{index}]"
        if not _PROFILE.fullmatch(profile):
            raise ConfigError(
                f"{key}: {profile!r} is no name such as 'caller', or 'trunk/s' for a shared one"
            )
        name = profile.removesuffix("/s")
        if name in seen:
            raise ConfigError(f"{key}: {name!r} is there twice")
        seen.add(name)
