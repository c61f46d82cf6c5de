"""Sans-IO: [watchdog] of haagent.toml: the device that resets a machine whose agent hangs."""

from collections.abc import Iterator

from haagent.config.kinds import Duration, Section

MIN_TIMEOUT = 5.0
MAX_TIMEOUT = 600.0


class WatchdogConfig(Section, frozen=True, kw_only=True):
    """[watchdog]: without this table no device is opened."""

    device: str = "/dev/watchdog"
    timeout: Duration = Duration(30.0)


def watchdog_problems(watchdog: WatchdogConfig) -> Iterator[str]:
    """What is wrong with it."""
    if not MIN_TIMEOUT <= watchdog.timeout <= MAX_TIMEOUT:
        yield f"watchdog.timeout: {watchdog.timeout:g}s is not in {MIN_TIMEOUT:g}s..{MAX_TIMEOUT:g}s"
    if not watchdog.device.startswith("/"):
        yield f"watchdog.device: {watchdog.device!r} is not an absolute path"
